// Reads the records (docs/formats/run-record.md), folds them into one state, draws the sections.
function readRecords() {
  const state = { run: null, bars: [], slices: [], more_runs: 0, stats: new Map(), logs: [], results: [], plots: new Map(), errors: [], changes: null, summary: null, last_us: 0, broken: 0 };
  for (const block of document.querySelectorAll('script[type="application/json"]')) {
    let records;
    try { records = JSON.parse(block.textContent); } catch (_) { state.broken += 1; continue; }  // a killed run may stop inside its last block
    for (const record of Array.isArray(records) ? records : [records]) take(state, record);
  }
  state.statsOf = (i) => state.stats.get(i) || {};
  if (state.run) completeRecords(state);
  return state;
}

// What a run that was cut short did not come to write: counts from the bars, the time of the end.
function completeRecords(state) {
  const { run } = state, read = new Set((run.edges || []).map(([from]) => from));
  run.nodes.forEach((node, i) => { node.hidden = node.kind === "input" && !read.has(i); });
  const count = run.nodes.length, beyond = (i) => i >= count;
  if (run.more_nodes) run.nodes.push({ id: "other nodes", operator: grouped(run.more_nodes) + " not drawn", kind: "operator", depth: 0 });
  for (const item of state.bars.concat(state.slices, state.logs)) if (isNum(item.node) && beyond(item.node)) item.node = run.more_nodes ? count : 0;
  for (const b of state.bars) state.last_us = Math.max(state.last_us, b.start + b.dur);
  if (state.summary) return;
  const seen = new Map();
  for (const b of state.bars) { if (!seen.has(b.node)) seen.set(b.node, []); seen.get(b.node).push(b); }
  for (const [node, bars] of seen) {
    const times = bars.map((b) => b.dur), known = state.stats.get(node), failed = bars.filter((b) => b.status === 3).length;
    if (!known || known.runs < bars.length) state.stats.set(node, { ...known, node, runs: bars.length, failed, total_us: times.reduce((a, b) => a + b, 0), p50_us: quantile(times, .5), p95_us: quantile(times, .95), max_us: Math.max(...times) });
  }
}

function take(state, r) {
  if (isNum(r.t_us)) state.last_us = Math.max(state.last_us, r.t_us);
  switch (r.type) {
    case "run": state.run = r; break;
    case "node_runs": for (const [node, epoch, worker, start, dur, status] of r.runs) state.bars.push({ node, epoch, worker, start, dur, status }); break;
    case "slices": for (const [worker, start, end, busy, count, node] of r.slices) { state.slices.push({ worker, start, end, busy, count, node }); state.more_runs += count; } break;
    case "stats": for (const s of r.nodes) state.stats.set(s.node, s); break;
    case "log": for (const [t, node, epoch, level, text] of r.lines) state.logs.push({ t, node, epoch, level, text }); break;
    case "result": state.results.push(r); break;
    case "plot": state.plots.set(r.id, r); break;
    case "error": state.errors.push(r); break;
    case "changes": state.changes = r; break;
    case "summary": state.summary = r; break;
  }
}

function drawHead(state) {
  const { run, summary } = state, started = new Date(run.started_at), age = (Date.now() - started.getTime()) / 1000 - state.last_us / 1e6, live = !summary && age < 90;
  const status = summary ? summary.status : live ? "running" : "warn", text = { ok: "succeeded", failed: "failed", interrupted: "interrupted", running: "running", warn: "still running or killed" }[status] || status;
  document.title = (run.name || "pipeline") + " \u00b7 " + text + " \u00b7 Penstock";
  fill(clear(document.getElementById("title")), null, [el("h1", {}, run.name || "pipeline"), el("span", { class: "pill " + status, id: "status" }, text), run.file ? el("code", { class: "mute" }, run.file) : null, run.description ? el("div", { class: "desc" }, run.description) : null]);
  if (!summary) document.getElementById("title").append(el("span", { class: "mute" }, "No end was recorded. Last record " + duration(state.last_us) + " after the start; everything up to then is here." + (live ? " This page reloads itself." : "")));
  if (live) setTimeout(() => location.reload(), 3000);
  const all = [...state.stats.values()], sum = (key) => all.reduce((total, s) => total + (s[key] || 0), 0), busy = sum("total_us"), elapsed = summary ? summary.elapsed_s * 1e6 : state.last_us, workers = (run.workers || []).length || run.num_workers || 1;
  const facts = [["Elapsed", duration(elapsed)], ["Runner", run.runner, workers > 1 ? workers + " workers" : ""], ["Node runs", short(sum("runs"))], ["Epochs", summary ? short(summary.epochs) : null, summary && summary.results !== summary.epochs ? short(summary.results) + " results" : ""],
    ["Failed", sum("failed") || null], ["Retries", summary && summary.retries ? short(summary.retries) : null], ["Busy", elapsed > 0 && busy > 0 ? fixed(Math.min(100, 100 * busy / elapsed / workers), 0) + " %" : null], ["Peak memory", summary && summary.peak_rss_bytes ? bytes(summary.peak_rss_bytes) : null],
    ["Backend", run.backend || (summary && summary.backend)], ["Seed", run.seed], ["Started", started.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" })], ["Version", run.penstock]];
  fill(clear(document.getElementById("facts")), null, facts.filter(([, v]) => v !== null && v !== undefined && v !== "").map(([k, v, more]) => el("div", { class: "fact" }, el("div", { class: "k" }, k), el("div", { class: "v", title: String(v) }, String(v), more ? el("small", {}, " " + more) : null))));
  const last = state.results.filter((r) => r.cid).at(-1);
  if (last) document.getElementById("facts").append(el("div", { class: "wide" }, el("div", { class: "k" }, "Result"), cidView(last.cid)));
}

function drawErrors(body, state) {
  for (const e of state.errors) {
    const where = e.origin;
    body.append(el("div", { class: "card err" }, el("h3", {}, (e.id ? e.id + " " : "") + (e.code || "error"), where ? el("small", {}, where) : null), el("pre", {}, e.message), e.help ? el("p", { class: "note" }, "help: " + e.help) : null, e.trace ? el("details", {}, el("summary", { class: "mute" }, "trace"), el("pre", {}, e.trace)) : null));
  }
  if (state.summary && state.summary.errors > state.errors.length) body.append(el("p", { class: "note" }, grouped(state.summary.errors - state.errors.length) + " further errors are not listed"));
  return state.errors.length;
}

const normalTable = (table) => ({ columns: table.columns.map((name, k) => ({ name, type: (table.types || [])[k] })), rows: table.rows || table.sample, num_rows: table.num_rows });
const isTable = (v) => v && typeof v === "object" && v.$table;
function prepare(value) {  // gives every table of a value the form tableView wants
  if (value && typeof value === "object") { if (value.$table) { if (!value.$table.columns.length || typeof value.$table.columns[0] === "string") value.$table = normalTable(value.$table); } else for (const k of Object.keys(value)) if (typeof value[k] === "object") prepare(value[k]); }
  return value;
}

function pairUp(list) {  // two cards a row; one without a partner takes the row
  let open = null;
  for (const card of list) {
    if (card.classList.contains("full")) { if (open) open.classList.add("last"); open = null; } else open = open ? null : card;
  }
  if (open) open.classList.add("last");
  return list;
}

function drawResults(body, state) {
  const shown = state.results.filter((r) => r.value !== undefined), plots = [...state.plots.values()].sort((a, b) => a.id - b.id);
  if (plots.length) body.append(el("div", { class: "grid", style: "margin-bottom:12px" }, pairUp(plots.map(plotCard))));
  const holder = el("div", {}), draw = (r) => {
    clear(holder); prepare(r.value);
    const entries = isTable(r.value) || r.value === null || typeof r.value !== "object" || Array.isArray(r.value) || r.value.$tensor || r.value.$bytes ? [["result", r.value]] : Object.entries(r.value), plain = entries.filter(([, v]) => !isTable(v));
    if (plain.length) holder.append(el("div", { class: "card" }, plain.length === 1 && entries.length === 1 ? valueView(plain[0][1]) : valueView(Object.fromEntries(plain))));
    const tables = entries.filter(([, v]) => isTable(v)).map(([name, v]) => el("div", { class: "card" + (v.$table.columns.length > 5 ? " full" : ""), "data-table": name }, el("div", { class: "bar" }, el("h3", {}, name, el("small", {}, plural(v.$table.num_rows ?? v.$table.rows.length, "row") + ", " + plural(v.$table.columns.length, "column")))), tableView(v.$table, { limit: 10 })));
    if (tables.length) holder.append(el("div", { class: "grid" }, pairUp(tables)));
  };
  if (shown.length > 1) body.append(el("div", { class: "bar" }, el("span", { class: "mute" }, "result of epoch"), el("select", { class: "btn", "aria-label": "epoch", onchange: (event) => draw(shown[event.target.value]) }, shown.map((r, k) => el("option", { value: k, selected: k === shown.length - 1 }, String(r.epoch)))), shown.length < state.results.length || (state.summary && state.summary.results > shown.length) ? el("span", { class: "mute" }, "the values of " + shown.length + " results are in this page") : null));
  if (shown.length) { body.append(holder); draw(shown.at(-1)); }
  return shown.length || plots.length;
}

// Tiny histogram: one bar per octave of duration, on one axis for all nodes (`span`: its octaves).
function histogram(s, span) {
  const counts = s.hist && s.hist[1];
  if (!counts || !counts.length) return null;
  const top = Math.max(...counts), w = Math.max(3, Math.min(7, 120 / (span[1] - span[0]))), width = (span[1] - span[0]) * w;
  const lines = counts.map((c, k) => c ? duration(2 ** (s.hist[0] + k) / 1e3) + " to " + duration(2 ** (s.hist[0] + k + 1) / 1e3) + ": " + grouped(c) : "").filter(Boolean);
  const svg = sv("svg", { width, height: 16, viewBox: `0 0 ${width} 16`, tip: lines.join("\n") }, sv("line", { class: "gr", x1: 0, x2: width, y1: 15.5, y2: 15.5 }));
  counts.forEach((c, k) => { if (c) { const h = Math.max(2, 15 * Math.sqrt(c / top)); svg.append(sv("rect", { x: (s.hist[0] + k - span[0]) * w, y: 16 - h, width: w - .8, height: h, style: "fill:var(--accent)", opacity: .75 })); } });
  return svg;
}

function drawNodes(body, state, select) {
  const run = state.run, total = Math.max(1, ...run.nodes.map((_, i) => state.statsOf(i).total_us || 0)), before = new Map(((state.changes || {}).nodes || []).map((n) => [n.id, n.total_ms]));
  const any = (key) => run.nodes.some((_, i) => state.statsOf(i)[key]), num = { numeric: true }, hists = [...state.stats.values()].map((s) => s.hist).filter(Boolean), span = [Math.min(...hists.map((h) => h[0])), Math.max(...hists.map((h) => h[0] + h[1].length))];
  const columns = [{ name: "node" }, { name: "operator" }, { name: "runs", ...num }, any("failed") && { name: "failed", ...num }, any("retries") && { name: "retries", ...num }, any("no_event") && { name: "no_event", label: "no event", ...num }, any("skipped") && { name: "skipped", ...num }, { name: "total", left: true }, { name: "p50", label: "median", ...num }, { name: "p95", ...num }, { name: "max", ...num }, { name: "durations", left: true }, before.size && { name: "change", label: "since last", ...num }].filter(Boolean);
  const rows = run.nodes.map((node, i) => { const s = state.statsOf(i), was = before.get(node.id); const row = columns.map((c) => ({ node: node.id, operator: node.operator || node.kind, total: s.total_us || 0, p50: s.p50_us, p95: s.p95_us, max: s.max_us, durations: s.p50_us || 0, change: was > 0 && s.total_us ? s.total_us / 1e3 / was - 1 : null }[c.name] ?? s[c.name] ?? 0)); row.index = i; return row; }).filter((row) => run.nodes[row.index].kind !== "input" && run.nodes[row.index].id !== "other nodes");
  const view = tableView({ columns, rows }, { limit: 40, sort: "-total", click: (row) => select(row.index), cell: (row, c, k) => {
    const i = row.index, s = state.statsOf(i);
    if (c.name === "node") return el("span", {}, el("i", { class: "swatch", style: `background:${nodeColor(i)}` }), el("b", { style: "font-weight:600" }, row[k]), state.statusOf(i) === "failed" ? el("span", { class: "up" }, "  failed") : null);
    if (c.name === "total") return el("span", {}, el("i", { class: "share", style: `width:${(90 * row[k] / total).toFixed(1)}px;background:${nodeColor(i)}` }), s.total_us ? duration(row[k]) : "");
    if (["p50", "p95", "max"].includes(c.name)) return el("span", {}, s.total_us ? duration(row[k]) : "");
    if (c.name === "durations") return histogram(s, span) || el("span", {});
    if (c.name === "operator") return el("code", { class: "mute" }, row[k]);
    if (c.name === "change") return row[k] === null ? el("span", {}) : el("span", { class: s.total_us < 1000 ? "mute" : row[k] > .1 ? "up" : row[k] < -.1 ? "down" : "mute" }, (row[k] >= 0 ? "+" : "\u2212") + fixed(Math.abs(row[k]) * 100, 0) + " %");
    return el("span", { class: (c.name === "failed" && row[k]) ? "up" : row[k] ? "" : "mute" }, row[k] ? grouped(row[k]) : "");
  } });
  body.append(el("div", { class: "card" }, view));
  return { count: rows.length, mark: (i) => { rows.forEach((row) => { row.selected = row.index === i; }); view.redraw(); } };
}

function drawLogs(body, state) {
  const lines = state.logs.sort((a, b) => a.t - b.t); let node = -1, find = "";
  if (!lines.length) return { count: 0, mark() {} };
  const list = el("div", { class: "log scroll" }), ids = [...new Set(lines.map((l) => l.node))].filter((n) => isNum(n)).sort((a, b) => a - b), name = (n) => isNum(n) && state.run.nodes[n] ? state.run.nodes[n].id : "run";
  const pick = el("select", { class: "btn", "aria-label": "node", onchange: (event) => { node = Number(event.target.value); draw(); } }, el("option", { value: -1 }, "all nodes"), ids.map((n) => el("option", { value: n }, name(n)))), caption = el("span", { class: "mute" });
  function draw() {
    const part = lines.filter((l) => (node < 0 || l.node === node) && (!find || l.text.toLowerCase().includes(find)));
    clear(list).append(...part.slice(-600).map((l) => el("div", { class: l.level || "info" }, el("span", { class: "t" }, isNum(l.t) ? duration(l.t) : ""), el("span", { class: "n", title: name(l.node) + (l.epoch !== null && l.epoch !== undefined ? ", epoch " + l.epoch : "") }, name(l.node)), el("span", { class: "m" }, l.text))));
    caption.textContent = plural(part.length, "line"); list.scrollTop = list.scrollHeight;
  }
  body.append(el("div", { class: "card" }, el("div", { class: "bar" }, pick, el("input", { class: "btn", type: "search", placeholder: "find", "aria-label": "find in logs", oninput: (event) => { find = event.target.value.toLowerCase(); draw(); } }), caption), list));
  draw();
  return { count: lines.length, mark: (i) => { node = ids.includes(i) ? i : -1; pick.value = String(node); draw(); } };
}

function drawAddresses(body, state) {
  const { run } = state, rows = [];
  if (run.plan) rows.push(["plan", run.plan]);
  for (const input of run.inputs || []) rows.push(["input " + input.name, input.cid || JSON.stringify(input.value), !input.cid]);
  for (const r of state.results) if (r.cid) rows.push([state.results.length === 1 ? "result" : "result of epoch " + r.epoch, r.cid]);
  const shown = rows.length > 30 ? rows.slice(0, 20).concat(rows.slice(-10)) : rows, left = (state.summary ? state.summary.results : 0) - state.results.length;
  if (rows.length) body.append(el("div", { class: "card" }, el("table", {}, el("tbody", {}, shown.map(([what, text, plain]) => el("tr", {}, el("td", { class: "mute", style: "width:1%" }, what), el("td", { style: "max-width:0;width:99%" }, plain ? el("code", {}, text) : cidView(text)))))), shown.length < rows.length ? el("p", { class: "note" }, "the first 20 and the last 10 of " + grouped(rows.length)) : null, left > 0 ? el("p", { class: "note" }, grouped(left) + " further results are not listed in this page") : null,
    el("p", { class: "note" }, "An address is the BLAKE3 hash of a value's canonical encoding (CIDv1): equal address, equal result, whatever the runner or machine.")));
  return rows.length;
}

function drawChanges(body, state) {
  const c = state.changes;
  if (!c) return 0;
  const items = c.items || [], previous = c.previous || {}, now = state.summary ? state.summary.elapsed_s : null;
  const card = el("div", { class: "card" }, el("p", { class: "soft", style: "margin:0 0 8px" }, "Compared with run ", el("code", {}, previous.run_id || ""), previous.started_at ? " of " + new Date(previous.started_at).toLocaleString() : "", isNum(previous.elapsed_s) && isNum(now) ? ", which took " + duration(previous.elapsed_s * 1e6) + " (now " + duration(now * 1e6) + ")" : "", "."));
  if (!items.length) card.append(el("p", { style: "margin:0" }, "Nothing changed: same plan, same inputs, same result."));
  else card.append(el("div", { class: "scroll" }, el("table", {}, el("thead", {}, el("tr", {}, ["what", "", "before", "now"].map((t) => el("th", { class: "plain" }, t)))), el("tbody", {}, items.map((i) => el("tr", {}, el("td", {}, i.name), el("td", { class: "mute" }, i.kind), el("td", {}, i.kind !== "same" && i.before !== undefined && i.before !== null ? el("code", { class: i.kind === "same" ? "mute" : "before", title: String(i.before) }, clip(String(i.before), 44)) : ""), el("td", {}, i.after !== undefined && i.after !== null ? el("code", { class: i.kind === "same" ? "mute" : "after", title: String(i.after) }, clip(String(i.after), 44)) : "")))))));
  body.append(card);
  return items.length || true;
}

document.addEventListener("DOMContentLoaded", () => {
  const state = readRecords();
  if (!state.run) { document.getElementById("title").append(el("p", { class: "mute" }, "This page has no record of a run.")); return; }
  const part = (id) => document.querySelector("#" + id + " .body");
  state.statusOf = (i) => { const s = state.statsOf(i), node = state.run.nodes[i]; return s.failed ? "failed" : s.running && !state.summary ? "running" : s.runs || node.kind === "input" ? "ok" : "idle"; };
  const marks = []; let chosen = -1;
  const select = (i) => { chosen = chosen === i ? -1 : i; marks.forEach((m) => m(chosen)); };
  drawHead(state);
  const nav = document.querySelector("#nav .wrap");
  const show = (id, count, badge) => { const section = document.getElementById(id); section.hidden = !count; if (count) nav.append(el("a", { href: "#" + id }, section.querySelector("h2").firstChild.textContent, badge ? el("b", {}, grouped(count)) : null)); };
  const attempt = (id, draw, badge) => {  // one broken part must not take the page with it
    document.getElementById(id).hidden = false;
    let count; try { count = draw(part(id)); } catch (error) { part(id).append(el("p", { class: "card err" }, "this part could not be drawn: " + error.message)); console.error(error); count = true; }
    show(id, count, badge && count !== true);
  };
  attempt("errors", (b) => drawErrors(b, state), true);
  attempt("results", (b) => drawResults(b, state));
  attempt("pipeline", (b) => { const card = b.appendChild(el("div", { class: "card" })); marks.push(drawGraph(card, state.run, state.statsOf, state.statusOf, select).mark); return state.run.nodes.filter((n) => !n.hidden).length; }, true);
  attempt("timeline", (b) => drawTimeline(b.appendChild(el("div", { class: "card" })), state, select));
  attempt("nodes", (b) => { const n = drawNodes(b, state, select); marks.push(n.mark); return n.count; }, true);
  attempt("logs", (b) => { const l = drawLogs(b, state); marks.push(l.mark); return l.count; }, true);
  attempt("addresses", (b) => drawAddresses(b, state));
  attempt("changes", (b) => drawChanges(b, state));
  fill(document.getElementById("foot"), null, ["Written by Penstock " + (state.run.penstock || "") + " while the run went on. This file is complete in itself and loads nothing. Run ", el("code", {}, state.run.run_id || ""), state.run.command ? [" \u00b7 ", el("code", {}, state.run.command)] : null]);
  document.documentElement.dataset.ready = "yes";
});
