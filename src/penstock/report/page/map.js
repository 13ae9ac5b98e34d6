// Map of points and arcs: a conic equal-area projection (Albers) fitted to the points, or plate
// carree when they span most of the globe. The background is a graticule; no outlines are needed.
const RAD = Math.PI / 180;

function projection(lon, lat, size) {
  const span = (v) => (size && v.length > 8 ? weightedSpan(v, size) : [Math.min(...v), Math.max(...v)]);
  let shift = 0,
    [west, east] = span(lon);
  if (east - west > 180) {
    // points on both sides of the date line: cut at Greenwich instead
    const moved = lon.map((v) => (v < 0 ? v + 360 : v)),
      [w, e] = span(moved);
    if (e - w < east - west) {
      shift = 360;
      west = w;
      east = e;
    }
  }
  const [south, north] = span(lat),
    turn = (l) => (shift && l < 0 ? l + 360 : l);
  if (east - west > 150 || south * north < 0)
    return {
      flat: true,
      turn,
      bounds: [west, east, south, north],
      of: (l, p) => [turn(l) * Math.cos(((south + north) / 2) * RAD), -p],
    };
  const middle = (west + east) / 2,
    p1 = (south + (north - south) / 6) * RAD,
    p2 = (north - (north - south) / 6) * RAD;
  const n = Math.abs(p2 - p1) < 1e-3 ? Math.sin(p1) || 1e-6 : (Math.sin(p1) + Math.sin(p2)) / 2,
    c = Math.cos(p1) ** 2 + 2 * n * Math.sin(p1),
    origin = Math.sqrt(Math.max(0, c - 2 * n * Math.sin(((south + north) / 2) * RAD))) / n;
  return {
    turn,
    bounds: [west, east, south, north],
    of: (l, p) => {
      const rho = Math.sqrt(Math.max(0, c - 2 * n * Math.sin(p * RAD))) / n,
        a = n * (turn(l) - middle) * RAD;
      return [(rho * Math.sin(a)) / RAD, -(origin - rho * Math.cos(a)) / RAD];
    },
  };
}

PLOTS.map = (card, plot) => {
  const P = plot.points,
    arcs = plot.arcs || { from: [], to: [], weight: [], color: [] },
    count = P.lon.length;
  if (!count) {
    card.append(el("p", { class: "note" }, "no points"));
    return;
  }
  const project = projection(P.lon, P.lat, P.size),
    at = P.lon.map((l, i) => project.of(l, P.lat[i]));
  const peak = Math.max(1e-12, ...(P.size || []).filter(isNum)),
    heavy = Math.max(1e-12, ...arcs.weight.filter(isNum)),
    R = (i) => (P.size ? 0.9 + 9 * Math.sqrt(Math.max(0, P.size[i] || 0) / peak) : 3);
  const colored = arcs.color && arcs.color.some(isNum) ? arcs.color : P.color || [];
  const order = arcs.from.map((_, k) => k).sort((a, b) => (arcs.weight[a] || 0) - (arcs.weight[b] || 0));
  const home = frameOf(at, P.size),
    everything = frameOf(at, null),
    holder = el("div", { class: "map" }),
    strip = el("div", { class: "legend", style: "margin-top:8px" });
  let view = { ...home };
  const zoom = (f) => {
    view = {
      x: view.x + (view.w * (1 - f)) / 2,
      y: view.y + (view.h * (1 - f)) / 2,
      w: view.w * f,
      h: view.h * f,
    };
    draw(holder.clientWidth);
  };
  const button = (text, label, act) =>
    el("button", { class: "btn", type: "button", "aria-label": label, onclick: act }, text);
  const show = (wanted) => () => {
    view = { ...wanted };
    draw(holder.clientWidth);
  };
  card
    .querySelector(".bar")
    .append(
      el("span", { class: "gap" }),
      el(
        "span",
        { class: "tools" },
        button("+", "zoom in", () => zoom(0.6)),
        button("\u2212", "zoom out", () => zoom(1 / 0.6)),
        button("home", "first view", show(home)),
        button("all points", "show all points", show(everything)),
      ),
    );
  card.append(holder, strip);
  let only = -1;

  function draw(width) {
    const height = Math.round(Math.max(260, Math.min(620, width * 0.56))),
      color = colorScale(colored, plot.middle),
      scale = Math.min(width / view.w, height / view.h);
    const ox = width / 2 - (view.x + view.w / 2) * scale,
      oy = height / 2 - (view.y + view.h / 2) * scale,
      XY = ([x, y]) => [ox + x * scale, oy + y * scale],
      grow = Math.min(2.2, Math.max(0.6, width / 1000) * Math.min(2, Math.sqrt(home.w / view.w)));
    const svg = sv("svg", {
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label": plot.title || "map",
      style: "background:color-mix(in srgb, var(--hair) 45%, var(--card));border-radius:6px",
    });
    graticule(svg, XY, width, height, view);
    const lines = sv("g", { fill: "none", "stroke-linecap": "round" });
    for (const k of order) {
      if (only >= 0 && arcs.from[k] !== only && arcs.to[k] !== only) continue;
      const [x0, y0] = XY(at[arcs.from[k]]),
        [x1, y1] = XY(at[arcs.to[k]]),
        dx = x1 - x0,
        dy = y1 - y0,
        w = Math.max(0.35, 3.4 * grow * ((arcs.weight[k] || 0) / heavy) ** 0.75),
        bend = 0.13;
      lines.append(
        sv("path", {
          d: `M${x0.toFixed(1)},${y0.toFixed(1)}Q${((x0 + x1) / 2 + dy * bend).toFixed(1)},${((y0 + y1) / 2 - dx * bend).toFixed(1)} ${x1.toFixed(1)},${y1.toFixed(1)}`,
          "stroke-width": w.toFixed(2),
          style: `stroke:${color.at(arcs.color ? arcs.color[k] : null)}`,
          opacity: (0.18 + 0.72 * Math.sqrt((arcs.weight[k] || 0) / heavy)).toFixed(2),
          tip: () => arcTip(k),
        }),
      );
    }
    svg.append(lines);
    const dots = sv("g", {}),
      taken = [];
    at.forEach((p, i) => {
      const [x, y] = XY(p),
        r = Math.max(1, R(i) * grow);
      if (x > -20 && y > -20 && x < width + 20 && y < height + 20)
        dots.append(
          sv("circle", {
            cx: x.toFixed(1),
            cy: y.toFixed(1),
            r: r.toFixed(1),
            style: `fill:${P.color ? color.at(P.color[i]) : "var(--ink)"};stroke:var(--card);stroke-width:.8`,
            opacity: 0.85,
            tip: () => pointTip(i),
            onclick: () => {
              only = only === i ? -1 : i;
              draw(width);
            },
          }),
        );
    });
    svg.append(dots);
    const bySize = at.map((_, i) => i).sort((a, b) => (P.size ? (P.size[b] || 0) - (P.size[a] || 0) : 0));
    for (const i of bySize) {
      // labels, largest first, where they hit no other label
      if (taken.length > Math.max(10, width / 26)) break;
      const [x, y] = XY(at[i]),
        text = P.label ? String(P.label[i]) : "",
        w = text.length * 6.8,
        box = [x + R(i) * grow + 2, y - 7, x + R(i) * grow + w + 4, y + 6];
      if (
        !text ||
        box[0] < 0 ||
        box[2] > width ||
        box[1] < 0 ||
        box[3] > height ||
        taken.some((b) => box[0] < b[2] && b[0] < box[2] && box[1] < b[3] && b[1] < box[3])
      )
        continue;
      taken.push(box);
      svg.append(
        sv(
          "text",
          { class: "halo", x: box[0], y: y + 4, style: "font-weight:600;pointer-events:none" },
          text,
        ),
      );
    }
    pan(svg, scale);
    clear(holder).append(svg);
    const pieces = [];
    if (colored.length)
      pieces.push(
        scaleLegend(color, (plot.color || {}).label || "value", (plot.color || {}).unit, plot.middle, true),
      );
    if (arcs.from.length && plot.weight)
      pieces.push(el("span", {}, "width: " + words(plot.weight.label) + ", widest " + short(heavy)));
    if (P.size && plot.size)
      pieces.push(el("span", {}, "dots: " + words(plot.size.label) + ", largest " + short(peak)));
    if (plot.total_arcs > arcs.from.length)
      pieces.push(
        el(
          "span",
          { class: "mute" },
          grouped(arcs.from.length) +
            " heaviest of " +
            grouped(plot.total_arcs) +
            " drawn" +
            (isNum(plot.shown_share) ? " (" + fixed(100 * plot.shown_share, 0) + " % of the weight)" : ""),
        ),
      );
    if (arcs.from.length)
    pieces.push(
      el(
        "span",
        { class: "mute" },
        only >= 0
          ? "only " + named(only) + "; click it again for all"
          : "click a point to see its routes alone",
      ),
    );
    clear(strip).append(...pieces);
  }
  const named = (i) => (P.label ? String(P.label[i]) : "point " + i);
  const unit = (axis) => (axis && axis.unit ? " " + axis.unit : "");
  const pointTip = (i) =>
    [
      (P.label ? P.label[i] : "") + (P.text && P.text[i] ? "  " + P.text[i] : ""),
      P.size && plot.size ? words(plot.size.label) + " " + short(P.size[i]) : "",
      P.color && plot.color ? words(plot.color.label) + " " + short(P.color[i]) + unit(plot.color) : "",
    ]
      .filter(Boolean)
      .join("\n");
  const arcTip = (k) =>
    [
      named(arcs.from[k]) + " \u2192 " + named(arcs.to[k]),
      plot.weight ? words(plot.weight.label) + " " + short(arcs.weight[k]) : "",
      plot.color && arcs.color ? words(plot.color.label) + " " + short(arcs.color[k]) + unit(plot.color) : "",
    ]
      .filter(Boolean)
      .join("\n");
  function graticule(svg, XY, width, height, seen) {
    const step = [1, 2, 5, 10, 20, 30].find((s) => Math.min(seen.w, seen.h * 1.6) / s < Math.min(9, width / 70)) || 30,
      [west, east, south, north] = project.bounds,
      path = (pts) =>
        "M" +
        pts
          .map((p) =>
            XY(p)
              .map((v) => v.toFixed(1))
              .join(","),
          )
          .join("L");
    const low = Math.max(-85, Math.floor((south - 30) / step) * step),
      high = Math.min(85, north + 30),
      from = Math.floor((west - 40) / step) * step,
      to = east + 40;
    for (let l = from; l <= to; l += step) {
      const pts = [];
      for (let p = low; p <= high; p += 2) pts.push(project.of(l, p));
      svg.append(
        sv("path", { d: path(pts), fill: "none", class: "ax", style: "shape-rendering:auto;opacity:.75" }),
      );
    }
    for (let p = low; p <= high; p += step) {
      const pts = [];
      for (let l = from; l <= to; l += 2) pts.push(project.of(l, p));
      svg.append(
        sv("path", { d: path(pts), fill: "none", class: "ax", style: "shape-rendering:auto;opacity:.75" }),
      );
      const edge = pts.map(XY).find(([x]) => x > 4);
      if (edge && edge[0] < 60 && edge[1] > 14 && edge[1] < height - 4)
        svg.append(
          sv(
            "text",
            { x: 6, y: edge[1] - 4, opacity: 0.8 },
            Math.abs(p) + "\u00b0" + (p < 0 ? "S" : p > 0 ? "N" : ""),
          ),
        );
    }
    for (let l = from; l <= to; l += step) {
      let best = null;
      for (let p = low; p <= high; p += 0.25) {
        const q = XY(project.of(l, p));
        if (q[1] > height - 20 && q[1] < height - 4) best = q;
      }
      const show = ((l + 540) % 360) - 180;
      if (best && best[0] > 60 && best[0] < width - 30)
        svg.append(
          sv(
            "text",
            { x: best[0] + 4, y: height - 6, opacity: 0.8 },
            Math.abs(show) + "\u00b0" + (show < 0 ? "W" : show > 0 ? "E" : ""),
          ),
        );
    }
  }
  function pan(svg, scale) {
    let from = null;
    svg.style.touchAction = "pan-y";
    svg.style.cursor = "grab";
    svg.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "mouse") from = [event.clientX, event.clientY];
    });
    svg.addEventListener("pointermove", (event) => {
      if (!from || Math.hypot(event.clientX - from[0], event.clientY - from[1]) < 4) return;
      svg.firstChild.parentNode.setAttribute(
        "viewBox",
        `${from[0] - event.clientX} ${from[1] - event.clientY} ${svg.getAttribute("width")} ${svg.getAttribute("height")}`,
      );
    });
    const drop = (event) => {
      if (!from) return;
      const dx = event.clientX - from[0],
        dy = event.clientY - from[1];
      from = null;
      if (Math.hypot(dx, dy) >= 4) {
        view = { ...view, x: view.x - dx / scale, y: view.y - dy / scale };
        draw(holder.clientWidth);
      }
    };
    svg.addEventListener("pointerup", drop);
    svg.addEventListener("pointerleave", drop);
    svg.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey) return;
        event.preventDefault();
        zoom(event.deltaY > 0 ? 1.25 : 0.8);
      },
      { passive: false },
    );
  }
  onWidth(holder, draw);
};

// Where the inner 98 % of the weight lies on one axis: a few far islands must not tilt the map.
function weightedSpan(values, size) {
  const order = values.map((_, i) => i).sort((a, b) => values[a] - values[b]),
    total = size.reduce((sum, v) => sum + Math.max(0, v || 0), 0) || 1;
  let sum = 0,
    low = null,
    high = null;
  for (const i of order) {
    sum += Math.max(0, size[i] || 0);
    if (low === null && sum >= 0.01 * total) low = values[i];
    if (sum <= 0.99 * total || high === null) high = values[i];
  }
  return [low, Math.max(low, high)];
}

// Rectangle around the points; with sizes, around the 98 % of the total size nearest the middle.
function frameOf(at, size) {
  let keep = at.map((_, i) => i);
  if (size && at.length > 8) {
    const total = size.reduce((sum, v) => sum + Math.max(0, v || 0), 0) || 1,
      mx = quantile(
        at.map((p) => p[0]),
        0.5,
      ),
      my = quantile(
        at.map((p) => p[1]),
        0.5,
      );
    keep.sort((a, b) => Math.hypot(at[a][0] - mx, at[a][1] - my) - Math.hypot(at[b][0] - mx, at[b][1] - my));
    let sum = 0;
    keep = keep.filter((i) => {
      const inside = sum < 0.98 * total;
      sum += Math.max(0, size[i] || 0);
      return inside;
    });
  }
  const x = keep.map((i) => at[i][0]),
    y = keep.map((i) => at[i][1]),
    low = [Math.min(...x), Math.min(...y)],
    w = Math.max(1, Math.max(...x) - low[0]),
    h = Math.max(1, Math.max(...y) - low[1]),
    margin = 0.05;
  return { x: low[0] - w * margin, y: low[1] - h * margin, w: w * (1 + 2 * margin), h: h * (1 + 2 * margin) };
}
