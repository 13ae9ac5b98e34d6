// Head of the page, errors, and results with their plots.
// Text with `code` in backticks.
const withCode = (text) => text.split("`").map((part, i) => (i % 2 ? el("code", {}, part) : part));

function drawHead(state) {
  const { run, summary } = state,
    started = new Date(run.started_at),
    age = (Date.now() - started.getTime()) / 1000 - state.last_us / 1e6,
    live = !summary && age < 90;
  const status = summary ? summary.status : live ? "running" : "warn",
    text =
      {
        ok: "succeeded",
        failed: "failed",
        interrupted: "interrupted",
        running: "running",
        warn: "still running or killed",
      }[status] || status;
  document.title = (run.name || "pipeline") + " \u00b7 " + text + " \u00b7 Penstock";
  fill(clear(document.getElementById("title")), null, [
    el("h1", {}, run.name || "pipeline"),
    el("span", { class: "pill " + status, id: "status" }, text),
    run.file ? el("code", { class: "mute" }, run.file) : null,
    run.description ? el("div", { class: "desc" }, withCode(run.description)) : null,
  ]);
  if (!summary)
    document
      .getElementById("title")
      .append(
        el(
          "span",
          { class: "mute" },
          "No end was recorded. Last record " +
            duration(state.last_us) +
            " after the start; everything up to then is here." +
            (live ? " This page reloads itself." : ""),
        ),
      );
  if (live) setTimeout(() => location.reload(), 3000);
  const all = [...state.stats.values()],
    sum = (key) => all.reduce((total, s) => total + (s[key] || 0), 0),
    busy = sum("total_us"),
    elapsed = summary ? summary.elapsed_s * 1e6 : state.last_us,
    workers = (run.workers || []).length || run.num_workers || 1;
  const facts = [
    ["Elapsed", duration(elapsed)],
    ["Runner", run.runner, workers > 1 ? workers + " workers" : ""],
    ["Node runs", short(sum("runs"))],
    [
      "Epochs",
      summary ? short(summary.epochs) : null,
      summary && summary.results !== summary.epochs ? short(summary.results) + " results" : "",
    ],
    ["Failed", sum("failed") || null],
    ["Retries", summary && summary.retries ? short(summary.retries) : null],
    [
      "Busy",
      elapsed > 0 && busy > 0 ? fixed(Math.min(100, (100 * busy) / elapsed / workers), 0) + " %" : null,
    ],
    ["Peak memory", summary && summary.peak_rss_bytes ? bytes(summary.peak_rss_bytes) : null],
    ["Backend", run.backend || (summary && summary.backend)],
    ["Seed", run.seed],
    ["Started", started.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" })],
    ["Version", run.penstock],
  ];
  fill(
    clear(document.getElementById("facts")),
    null,
    facts
      .filter(([, v]) => v !== null && v !== undefined && v !== "")
      .map(([k, v, more]) =>
        el(
          "div",
          { class: "fact" },
          el("div", { class: "k" }, k),
          el("div", { class: "v", title: String(v) }, String(v), more ? el("small", {}, " " + more) : null),
        ),
      ),
  );
  const last = state.results.filter((r) => r.cid).at(-1);
  if (last)
    document
      .getElementById("facts")
      .append(el("div", { class: "wide" }, el("div", { class: "k" }, "Result"), cidView(last.cid)));
}

function drawErrors(body, state) {
  for (const e of state.errors) {
    const where = e.origin;
    body.append(
      el(
        "div",
        { class: "card err" },
        el("h3", {}, (e.id ? e.id + " " : "") + (e.code || "error"), where ? el("small", {}, where) : null),
        el("pre", {}, e.message),
        e.help ? el("p", { class: "note" }, "help: " + e.help) : null,
        e.trace ? el("details", {}, el("summary", { class: "mute" }, "trace"), el("pre", {}, e.trace)) : null,
      ),
    );
  }
  if (state.summary && state.summary.errors > state.errors.length)
    body.append(
      el(
        "p",
        { class: "note" },
        grouped(state.summary.errors - state.errors.length) + " further errors are not listed",
      ),
    );
  return state.errors.length;
}

const normalTable = (table) => ({
  columns: table.columns.map((name, k) => ({ name, type: (table.types || [])[k] })),
  rows: table.rows || table.sample,
  num_rows: table.num_rows,
});
const isTable = (v) => v && typeof v === "object" && v.$table;
function prepare(value) {
  // gives every table of a value the form tableView wants
  if (value && typeof value === "object") {
    if (value.$table) {
      if (!value.$table.columns.length || typeof value.$table.columns[0] === "string")
        value.$table = normalTable(value.$table);
    } else for (const k of Object.keys(value)) if (typeof value[k] === "object") prepare(value[k]);
  }
  return value;
}

function pairUp(list) {
  // two cards a row; one without a partner takes the row
  let open = null;
  for (const card of list) {
    if (card.classList.contains("full")) {
      if (open) open.classList.add("last");
      open = null;
    } else open = open ? null : card;
  }
  if (open) open.classList.add("last");
  return list;
}

function drawResults(body, state) {
  const shown = state.results.filter((r) => r.value !== undefined),
    plots = [...state.plots.values()].sort((a, b) => a.id - b.id);
  if (plots.length)
    body.append(el("div", { class: "grid", style: "margin-bottom:12px" }, pairUp(plots.map(plotCard))));
  const holder = el("div", {}),
    draw = (r) => {
      clear(holder);
      prepare(r.value);
      const entries =
          isTable(r.value) ||
          r.value === null ||
          typeof r.value !== "object" ||
          Array.isArray(r.value) ||
          r.value.$tensor ||
          r.value.$bytes
            ? [["result", r.value]]
            : Object.entries(r.value),
        plain = entries.filter(([, v]) => !isTable(v));
      if (plain.length)
        holder.append(
          el(
            "div",
            { class: "card" },
            plain.length === 1 && entries.length === 1
              ? valueView(plain[0][1])
              : valueView(Object.fromEntries(plain)),
          ),
        );
      const tables = entries
        .filter(([, v]) => isTable(v))
        .map(([name, v]) =>
          el(
            "div",
            { class: "card" + (v.$table.columns.length > 5 ? " full" : ""), "data-table": name },
            el(
              "div",
              { class: "bar" },
              el(
                "h3",
                {},
                name,
                el(
                  "small",
                  {},
                  plural(v.$table.num_rows ?? v.$table.rows.length, "row") +
                    ", " +
                    plural(v.$table.columns.length, "column"),
                ),
              ),
            ),
            tableView(v.$table, { limit: 10 }),
          ),
        );
      if (tables.length) holder.append(el("div", { class: "grid" }, pairUp(tables)));
    };
  if (shown.length > 1)
    body.append(
      el(
        "div",
        { class: "bar" },
        el("span", { class: "mute" }, "result of epoch"),
        el(
          "select",
          { class: "btn", "aria-label": "epoch", onchange: (event) => draw(shown[event.target.value]) },
          shown.map((r, k) => el("option", { value: k, selected: k === shown.length - 1 }, String(r.epoch))),
        ),
        shown.length < state.results.length || (state.summary && state.summary.results > shown.length)
          ? el("span", { class: "mute" }, "the values of " + shown.length + " results are in this page")
          : null,
      ),
    );
  if (shown.length) {
    body.append(holder);
    draw(shown.at(-1));
  }
  return shown.length || plots.length;
}
