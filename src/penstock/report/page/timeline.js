// Node runs per worker. Drag to zoom, double-click to see all. Bars closer than a pixel are merged.
const RUN_STATUS = ["ran", "no event", "exhausted", "failed"];
const LANE_H = 22,
  LANE_GAP = 5,
  HEAD_H = 34;

function drawTimeline(host, state, select) {
  const nodes = state.run.nodes,
    bars = state.bars,
    slices = state.slices;
  let end = state.summary ? state.summary.elapsed_s * 1e6 : 0;
  for (const b of bars) end = Math.max(end, b.start + b.dur);
  for (const s of slices) end = Math.max(end, s.end);
  if (!(end > 0)) return false;
  const ids = [...new Set([...bars.map((b) => b.worker), ...slices.map((s) => s.worker)])].sort(
    (a, b) => a - b,
  );
  if (!ids.length) return false;
  const name = (w) => (state.run.workers || [])[w] || (w ? "worker " + w : "main");
  const lanes = ids.map((w) => ({
    worker: w,
    bars: bars.filter((b) => b.worker === w).sort((a, b) => a.start - b.start),
    slices: slices.filter((s) => s.worker === w),
  }));
  let first = end;
  for (const b of bars) first = Math.min(first, b.start);
  for (const s of slices) first = Math.min(first, s.start);
  const view = { low: first > 0.3 * end ? first - 0.05 * (end - first) : 0, high: end },
    holder = el("div", {});
  const zoom = (factor) => {
    const mid = (view.low + view.high) / 2,
      half = ((view.high - view.low) * factor) / 2;
    set(mid - half, mid + half);
  };
  const set = (low, high) => {
    const span = Math.max(20, Math.min(end, high - low));
    view.low = Math.max(0, Math.min(end - span, low));
    view.high = view.low + span;
    draw(holder.clientWidth);
  };
  const button = (text, label, act) =>
    el("button", { class: "btn", type: "button", "aria-label": label, onclick: act }, text);
  const caption = el("span", { class: "mute" });
  host.append(
    el(
      "div",
      { class: "bar" },
      caption,
      el("span", { class: "gap" }),
      button("\u2190", "earlier", () =>
        set(view.low - (view.high - view.low) / 2, view.high - (view.high - view.low) / 2),
      ),
      button("\u2192", "later", () =>
        set(view.low + (view.high - view.low) / 2, view.high + (view.high - view.low) / 2),
      ),
      button("+", "zoom in", () => zoom(0.5)),
      button("\u2212", "zoom out", () => zoom(2)),
      button("all", "show all", () => set(0, end)),
    ),
    holder,
  );
  if (state.more_runs > 0)
    host.append(
      el(
        "p",
        { class: "note" },
        grouped(state.more_runs) +
          " further node runs are summarised: hatched blocks show how busy a worker was and which node took most of it.",
      ),
    );
  const times = nodes.map((_, i) => state.statsOf(i).total_us || 0),
    shown = nodes
      .map((_, i) => i)
      .filter((i) => times[i] > 0)
      .sort((a, b) => times[b] - times[a])
      .slice(0, 12);
  host.append(
    el(
      "div",
      { class: "legend", style: "margin-top:8px" },
      shown.map((i) =>
        el(
          "span",
          {},
          el("i", { class: "swatch", style: `background:${nodeColor(i)}` }),
          nodes[i].id,
          el("span", { class: "mute" }, " " + duration(times[i])),
        ),
      ),
    ),
  );

  function draw(width) {
    const left = width < 500 ? 62 : 88,
      right = width - 6,
      X = (t) => left + ((t - view.low) / (view.high - view.low)) * (right - left);
    const height = HEAD_H + lanes.length * (LANE_H + LANE_GAP) + 20;
    const svg = sv("svg", {
      class: "swim",
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label": "Timeline of node runs per worker",
    });
    const clipId = "lanes",
      floor = height - 16;
    svg.append(
      sv(
        "defs",
        {},
        sv("clipPath", { id: clipId }, sv("rect", { x: left, y: 0, width: right - left, height })),
        sv(
          "pattern",
          {
            id: "hatch",
            width: 5,
            height: 5,
            patternUnits: "userSpaceOnUse",
            patternTransform: "rotate(45)",
          },
          sv("rect", { width: 2.4, height: 5, style: "fill:var(--card)", opacity: 0.5 }),
        ),
      ),
    );
    for (const t of ticks(view.low, view.high, Math.max(2, width / 130)))
      svg.append(
        sv("line", { class: "ax", x1: X(t), x2: X(t), y1: HEAD_H - 4, y2: floor }),
        sv(
          "text",
          { x: X(t), y: height - 3, "text-anchor": X(t) > right - 30 ? "end" : "middle" },
          t ? duration(t) : "0",
        ),
      );
    svg.append(usage(X, left, right), sv("text", { x: left - 8, y: 20, "text-anchor": "end" }, "busy"));
    const body = sv("g", { "clip-path": `url(#${clipId})` });
    lanes.forEach((lane, k) => {
      const y = HEAD_H + k * (LANE_H + LANE_GAP);
      body.append(sv("rect", { class: "lane", x: left, y, width: right - left, height: LANE_H, rx: 3 }));
      svg.append(
        sv(
          "text",
          { x: left - 8, y: y + 15, "text-anchor": "end" },
          clip(name(lane.worker), left > 70 ? 13 : 9),
        ),
      );
      for (const s of lane.slices) drawSlice(body, s, y, X);
      drawBars(body, lane.bars, y, X, left, right);
    });
    svg.append(body);
    brush(svg, left, right);
    clear(holder).append(svg);
    caption.textContent =
      (view.high - view.low < end * 0.999 ? duration(view.low) + " to " + duration(view.high) + " of " : "") +
      duration(end) +
      ", " +
      plural(lanes.length, "worker") +
      ", " +
      plural(bars.length + (state.more_runs || 0), "node run") +
      "; drag to zoom";
  }
  function drawBars(body, list, y, X, left, right) {
    let at = 0;
    while (at < list.length) {
      const b = list[at];
      if (b.start > view.high) break;
      let x = X(b.start),
        w = X(b.start + b.dur) - x,
        last = at;
      if (x + w < left) {
        ++at;
        continue;
      }
      if (w < 1.2) {
        // too small to see alone: one rectangle for the neighbours
        let stop = x + Math.max(w, 1.2),
          busy = b.dur;
        const parts = new Map([[b.node, b.dur]]);
        while (
          last + 1 < list.length &&
          X(list[last + 1].start + list[last + 1].dur) - X(list[last + 1].start) < 1.2 &&
          X(list[last + 1].start) < stop + 0.6 &&
          stop - x < 8
        ) {
          const n = list[++last];
          stop = Math.max(stop, X(n.start) + 1.2);
          busy += n.dur;
          parts.set(n.node, (parts.get(n.node) || 0) + n.dur);
        }
        const main = [...parts].sort((p, q) => q[1] - p[1])[0][0],
          count = last - at + 1;
        const failed = list.slice(at, last + 1).some((n) => n.status === 3);
        body.append(
          sv("rect", {
            x: x.toFixed(2),
            y,
            width: (stop - x).toFixed(2),
            height: LANE_H,
            style: `fill:${failed ? "var(--bad)" : nodeColor(main)}`,
            opacity: 0.85,
            onclick: () => select(main),
            tip:
              count > 1
                ? plural(count, "run") +
                  " of " +
                  [...parts.keys()]
                    .slice(0, 4)
                    .map((i) => nodes[i].id)
                    .join(", ") +
                  (parts.size > 4 ? ", \u2026" : "") +
                  "\nbusy " +
                  duration(busy)
                : barTip(b),
          }),
        );
      } else {
        w = Math.max(1, w - 0.6);
        body.append(
          sv("rect", {
            x: x.toFixed(2),
            y,
            width: w.toFixed(2),
            height: LANE_H,
            rx: Math.min(3, w / 3),
            style: `fill:${nodeColor(b.node)}` + (b.status === 3 ? ";stroke:var(--bad);stroke-width:2" : ""),
            opacity: b.status === 1 ? 0.45 : 1,
            onclick: () => select(b.node),
            tip: barTip(b),
          }),
        );
        const from = Math.max(x, left),
          room = Math.min(x + w, right) - from,
          text = nodes[b.node].id;
        if (room > 34)
          body.append(
            sv(
              "text",
              { class: "lab", x: from + 5, y: y + 15 },
              clip(text, Math.max(2, Math.floor((room - 8) / 5.9))),
            ),
          );
      }
      at = last + 1;
    }
  }
  const barTip = (b) =>
    nodes[b.node].id +
    ", epoch " +
    b.epoch +
    "\n" +
    duration(b.dur) +
    " from " +
    duration(b.start) +
    (b.status ? "\n" + RUN_STATUS[b.status] : "");
  function drawSlice(body, s, y, X) {
    const x = X(s.start),
      w = X(s.end) - x,
      h = Math.max(2, LANE_H * Math.min(1, s.busy / Math.max(1, s.end - s.start)));
    if (x > X(view.high) || x + w < X(view.low)) return;
    const text =
      plural(s.count, "run") +
      " in " +
      duration(s.end - s.start) +
      "\nbusy " +
      fixed((100 * s.busy) / Math.max(1, s.end - s.start), 0) +
      " %" +
      (nodes[s.node] ? ", mostly " + nodes[s.node].id : "");
    for (const paint of [`fill:${nodeColor(s.node)}`, "fill:url(#hatch)"])
      body.append(
        sv("rect", {
          x,
          y: y + LANE_H - h,
          width: Math.max(0.7, w - 0.4),
          height: h,
          style: paint,
          tip: text,
          onclick: () => select(s.node),
        }),
      );
  }
  function usage(X, left, right) {
    // share of the workers that is busy, per 2 pixels
    const count = Math.max(10, Math.floor((right - left) / 2)),
      sums = new Float64Array(count),
      span = (view.high - view.low) / count;
    const add = (start, stop, weight) => {
      const from = Math.max(0, (start - view.low) / span),
        to = Math.min(count, (stop - view.low) / span);
      for (let k = Math.floor(from); k < to; ++k)
        sums[k] += weight * (Math.min(to, k + 1) - Math.max(from, k));
    };
    for (const b of bars) add(b.start, b.start + b.dur, 1);
    for (const s of slices) add(s.start, s.end, s.busy / Math.max(1, s.end - s.start));
    let d = `M${left},28`;
    sums.forEach((v, k) => {
      const y = 28 - 22 * Math.min(1, v / lanes.length);
      d += `L${(left + k * 2).toFixed(1)},${y.toFixed(1)}L${(left + k * 2 + 2).toFixed(1)},${y.toFixed(1)}`;
    });
    return sv("path", { d: d + `L${right},28Z`, style: "fill:var(--accent)", opacity: 0.28 });
  }
  function brush(svg, left, right) {
    let from = null;
    const mark = sv("rect", {
      y: 0,
      height: svg.getAttribute("height"),
      width: 0,
      style: "fill:var(--accent)",
      opacity: 0.15,
    });
    svg.append(mark);
    const T = (x) =>
        view.low + ((Math.max(left, Math.min(right, x)) - left) / (right - left)) * (view.high - view.low),
      at = (event) => event.clientX - svg.getBoundingClientRect().left;
    svg.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "mouse" && event.button === 0) from = at(event);
    });
    svg.addEventListener("pointermove", (event) => {
      if (from === null) return;
      const x = at(event);
      mark.setAttribute("x", Math.min(from, x));
      mark.setAttribute("width", Math.abs(x - from));
    });
    svg.addEventListener("pointerup", (event) => {
      const start = from,
        x = at(event);
      from = null;
      mark.setAttribute("width", 0);
      if (start !== null && Math.abs(x - start) > 6) set(Math.min(T(start), T(x)), Math.max(T(start), T(x)));
    });
    svg.addEventListener("pointerleave", () => {
      from = null;
      mark.setAttribute("width", 0);
    });
    svg.addEventListener("dblclick", () => set(0, end));
  }
  onWidth(holder, draw);
  return true;
}
