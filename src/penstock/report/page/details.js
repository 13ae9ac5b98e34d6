// Nodes, logs, content addresses, and what changed since the last run.
// Tiny histogram: one bar per octave of duration, on one axis for all nodes (`span`: its octaves).
function histogram(s, span) {
  const counts = s.hist && s.hist[1];
  if (!counts || !counts.length) return null;
  const top = Math.max(...counts),
    w = Math.max(3, Math.min(7, 120 / (span[1] - span[0]))),
    width = (span[1] - span[0]) * w;
  const lines = counts
    .map((c, k) =>
      c
        ? duration(2 ** (s.hist[0] + k) / 1e3) +
          " to " +
          duration(2 ** (s.hist[0] + k + 1) / 1e3) +
          ": " +
          grouped(c)
        : "",
    )
    .filter(Boolean);
  const svg = sv(
    "svg",
    { width, height: 16, viewBox: `0 0 ${width} 16`, tip: lines.join("\n") },
    sv("line", { class: "gr", x1: 0, x2: width, y1: 15.5, y2: 15.5 }),
  );
  counts.forEach((c, k) => {
    if (c) {
      const h = Math.max(2, 15 * Math.sqrt(c / top));
      svg.append(
        sv("rect", {
          x: (s.hist[0] + k - span[0]) * w,
          y: 16 - h,
          width: w - 0.8,
          height: h,
          style: "fill:var(--accent)",
          opacity: 0.75,
        }),
      );
    }
  });
  return svg;
}

function drawNodes(body, state, select) {
  const run = state.run,
    total = Math.max(1, ...run.nodes.map((_, i) => state.statsOf(i).total_us || 0)),
    before = new Map(((state.changes || {}).nodes || []).map((n) => [n.id, n.total_ms]));
  const any = (key) => run.nodes.some((_, i) => state.statsOf(i)[key]),
    num = { numeric: true },
    hists = [...state.stats.values()].map((s) => s.hist).filter(Boolean),
    span = [Math.min(...hists.map((h) => h[0])), Math.max(...hists.map((h) => h[0] + h[1].length))];
  const columns = [
    { name: "node" },
    { name: "operator" },
    { name: "runs", ...num },
    any("failed") && { name: "failed", ...num },
    any("retries") && { name: "retries", ...num },
    any("no_event") && { name: "no_event", label: "no event", ...num },
    any("skipped") && { name: "skipped", ...num },
    { name: "total", left: true },
    { name: "p50", label: "median", ...num },
    { name: "p95", ...num },
    { name: "max", ...num },
    { name: "durations", left: true },
    before.size && { name: "change", label: "since last", ...num },
  ].filter(Boolean);
  const rows = run.nodes
    .map((node, i) => {
      const s = state.statsOf(i),
        was = before.get(node.id);
      const row = columns.map(
        (c) =>
          ({
            node: node.id,
            operator: node.operator || node.kind,
            total: s.total_us || 0,
            p50: s.p50_us,
            p95: s.p95_us,
            max: s.max_us,
            durations: s.p50_us || 0,
            change: was > 0 && s.total_us ? s.total_us / 1e3 / was - 1 : null,
          })[c.name] ??
          s[c.name] ??
          0,
      );
      row.index = i;
      return row;
    })
    .filter((row) => run.nodes[row.index].kind !== "input" && run.nodes[row.index].id !== "other nodes");
  const view = tableView(
    { columns, rows },
    {
      limit: 40,
      sort: "-total",
      click: (row) => select(row.index),
      cell: (row, c, k) => {
        const i = row.index,
          s = state.statsOf(i);
        if (c.name === "node")
          return el(
            "span",
            {},
            el("i", { class: "swatch", style: `background:${nodeColor(i)}` }),
            el("b", { style: "font-weight:600" }, row[k]),
            state.statusOf(i) === "failed" ? el("span", { class: "up" }, "  failed") : null,
          );
        if (c.name === "total")
          return el(
            "span",
            {},
            el("i", {
              class: "share",
              style: `width:${((90 * row[k]) / total).toFixed(1)}px;background:${nodeColor(i)}`,
            }),
            s.total_us ? duration(row[k]) : "",
          );
        if (["p50", "p95", "max"].includes(c.name)) return el("span", {}, s.total_us ? duration(row[k]) : "");
        if (c.name === "durations") return histogram(s, span) || el("span", {});
        if (c.name === "operator") return el("code", { class: "mute" }, row[k]);
        if (c.name === "change")
          return row[k] === null
            ? el("span", {})
            : el(
                "span",
                { class: s.total_us < 1000 ? "mute" : row[k] > 0.1 ? "up" : row[k] < -0.1 ? "down" : "mute" },
                (row[k] >= 0 ? "+" : "\u2212") + fixed(Math.abs(row[k]) * 100, 0) + " %",
              );
        return el(
          "span",
          { class: c.name === "failed" && row[k] ? "up" : row[k] ? "" : "mute" },
          row[k] ? grouped(row[k]) : "",
        );
      },
    },
  );
  body.append(el("div", { class: "card" }, view));
  return {
    count: rows.length,
    mark: (i) => {
      rows.forEach((row) => {
        row.selected = row.index === i;
      });
      view.redraw();
    },
  };
}

function drawLogs(body, state) {
  const lines = state.logs.sort((a, b) => a.t - b.t);
  let node = -1,
    find = "";
  if (!lines.length) return { count: 0, mark() {} };
  const list = el("div", { class: "log scroll" }),
    ids = [...new Set(lines.map((l) => l.node))].filter((n) => isNum(n)).sort((a, b) => a - b),
    name = (n) => (isNum(n) && state.run.nodes[n] ? state.run.nodes[n].id : "run");
  const pick = el(
      "select",
      {
        class: "btn",
        "aria-label": "node",
        onchange: (event) => {
          node = Number(event.target.value);
          draw();
        },
      },
      el("option", { value: -1 }, "all nodes"),
      ids.map((n) => el("option", { value: n }, name(n))),
    ),
    caption = el("span", { class: "mute" });
  function draw() {
    const part = lines.filter(
      (l) => (node < 0 || l.node === node) && (!find || l.text.toLowerCase().includes(find)),
    );
    clear(list).append(
      ...part
        .slice(-600)
        .map((l) =>
          el(
            "div",
            { class: l.level || "info" },
            el("span", { class: "t" }, isNum(l.t) ? duration(l.t) : ""),
            el(
              "span",
              {
                class: "n",
                title: name(l.node) + (l.epoch !== null && l.epoch !== undefined ? ", epoch " + l.epoch : ""),
              },
              name(l.node),
            ),
            el("span", { class: "m" }, l.text),
          ),
        ),
    );
    caption.textContent = plural(part.length, "line");
    list.scrollTop = list.scrollHeight;
  }
  body.append(
    el(
      "div",
      { class: "card" },
      el(
        "div",
        { class: "bar" },
        pick,
        el("input", {
          class: "btn",
          type: "search",
          placeholder: "find",
          "aria-label": "find in logs",
          oninput: (event) => {
            find = event.target.value.toLowerCase();
            draw();
          },
        }),
        caption,
      ),
      list,
    ),
  );
  draw();
  return {
    count: lines.length,
    mark: (i) => {
      node = ids.includes(i) ? i : -1;
      pick.value = String(node);
      draw();
    },
  };
}

function drawAddresses(body, state) {
  const { run } = state,
    rows = [];
  if (run.plan) rows.push(["plan", run.plan]);
  for (const input of run.inputs || [])
    rows.push(["input " + input.name, input.cid || JSON.stringify(input.value), !input.cid]);
  for (const r of state.results)
    if (r.cid) rows.push([state.results.length === 1 ? "result" : "result of epoch " + r.epoch, r.cid]);
  const shown = rows.length > 30 ? rows.slice(0, 20).concat(rows.slice(-10)) : rows,
    left = (state.summary ? state.summary.results : 0) - state.results.length;
  if (rows.length)
    body.append(
      el(
        "div",
        { class: "card" },
        el(
          "table",
          {},
          el(
            "tbody",
            {},
            shown.map(([what, text, plain]) =>
              el(
                "tr",
                {},
                el("td", { class: "mute", style: "width:1%" }, what),
                el("td", { style: "max-width:0;width:99%" }, plain ? el("code", {}, text) : cidView(text)),
              ),
            ),
          ),
        ),
        shown.length < rows.length
          ? el("p", { class: "note" }, "the first 20 and the last 10 of " + grouped(rows.length))
          : null,
        left > 0
          ? el("p", { class: "note" }, grouped(left) + " further results are not listed in this page")
          : null,
        el(
          "p",
          { class: "note" },
          "An address is the BLAKE3 hash of a value's canonical encoding (CIDv1): equal address, equal result, whatever the runner or machine.",
        ),
      ),
    );
  return rows.length;
}

function drawChanges(body, state) {
  const c = state.changes;
  if (!c) return 0;
  const items = c.items || [],
    previous = c.previous || {},
    now = state.summary ? state.summary.elapsed_s : null;
  const card = el(
    "div",
    { class: "card" },
    el(
      "p",
      { class: "soft", style: "margin:0 0 8px" },
      "Compared with run ",
      el("code", {}, previous.run_id || ""),
      previous.started_at ? " of " + new Date(previous.started_at).toLocaleString() : "",
      isNum(previous.elapsed_s) && isNum(now)
        ? ", which took " + duration(previous.elapsed_s * 1e6) + " (now " + duration(now * 1e6) + ")"
        : "",
      ".",
    ),
  );
  if (!items.length)
    card.append(el("p", { style: "margin:0" }, "Nothing changed: same plan, same inputs, same result."));
  else
    card.append(
      el(
        "div",
        { class: "scroll" },
        el(
          "table",
          {},
          el(
            "thead",
            {},
            el(
              "tr",
              {},
              ["what", "", "before", "now"].map((t) => el("th", { class: "plain" }, t)),
            ),
          ),
          el(
            "tbody",
            {},
            items.map((i) =>
              el(
                "tr",
                {},
                el("td", {}, i.name),
                el("td", { class: "mute" }, i.kind),
                el(
                  "td",
                  {},
                  i.kind !== "same" && i.before !== undefined && i.before !== null
                    ? el(
                        "code",
                        { class: i.kind === "same" ? "mute" : "before", title: String(i.before) },
                        clip(String(i.before), 44),
                      )
                    : "",
                ),
                el(
                  "td",
                  {},
                  i.after !== undefined && i.after !== null
                    ? el(
                        "code",
                        { class: i.kind === "same" ? "mute" : "after", title: String(i.after) },
                        clip(String(i.after), 44),
                      )
                    : "",
                ),
              ),
            ),
          ),
        ),
      ),
    );
  body.append(card);
  return items.length || true;
}
