// Sortable tables over {columns: [{name, type, label?, unit?}], rows: [[...]]}, and values as trees.
function columnFormat(type, values) {
  const numbers = values.filter(isNum);
  if (numbers.length && numbers.length === values.filter((v) => v !== null && v !== undefined).length) {
    if (numbers.every(Number.isInteger)) {
      const years = numbers.every((v) => v >= 1500 && v <= 2200);
      return { numeric: true, show: (v) => (isNum(v) ? (years ? String(v) : grouped(v)) : "") };
    }
    const reach = quantile(numbers.map(Math.abs), 0.9) || 1,
      digits = Math.max(0, Math.min(6, reach >= 1e5 ? 0 : 3 - Math.floor(Math.log10(reach))));
    const decimals = Math.min(digits, reach >= 100 ? 1 : reach >= 1 ? 2 : digits);
    return {
      numeric: true,
      show: (v) =>
        isNum(v)
          ? v !== 0 && Math.abs(v) < 10 ** -decimals / 2
            ? v.toExponential(1)
            : fixed(v, decimals)
          : "",
    };
  }
  return {
    numeric: false,
    show: (v) => (v === null || v === undefined ? "" : typeof v === "object" ? JSON.stringify(v) : String(v)),
  };
}

const compare = (a, b) =>
  a === b
    ? 0
    : a === null || a === undefined
      ? 1
      : b === null || b === undefined
        ? -1
        : typeof a === "number" && typeof b === "number"
          ? a - b
          : String(a) < String(b)
            ? -1
            : 1;

// options: sort "name" or "-name", limit (rows shown first), bars (column names that get a data bar), cell(row, column) -> node
function tableView(table, options) {
  const { limit = 12, bars = [], sort = "", cell } = options || {};
  const columns = table.columns,
    formats = columns.map((c, k) =>
      columnFormat(
        c.type,
        table.rows.map((row) => row[k]),
      ),
    );
  const peaks = columns.map((c, k) =>
    bars.includes(c.name) ? Math.max(0, ...table.rows.map((row) => (isNum(row[k]) ? row[k] : 0))) : 0,
  );
  let key = sort.replace(/^-/, ""),
    down = sort.startsWith("-"),
    all = false;
  const body = el("tbody"),
    heads = columns.map((c) =>
      el("th", {
        class: !c.left && (formats[columns.indexOf(c)].numeric || c.numeric) ? "num" : "",
        tabindex: 0,
        title: c.type || null,
        onclick: () => {
          down = key === c.name ? !down : formats[columns.indexOf(c)].numeric;
          key = c.name;
          draw();
        },
      }),
    );
  const more = el("button", {
    class: "btn",
    type: "button",
    onclick: () => {
      all = !all;
      draw();
    },
  });
  const foot = el("p", { class: "note" });
  function draw() {
    const at = columns.findIndex((c) => c.name === key),
      rows = table.rows.slice();
    if (at >= 0)
      rows.sort((a, b) => {
        const x = a[at],
          y = b[at],
          none = (v) => v === null || v === undefined || v === "";
        return none(x) || none(y) ? none(x) - none(y) : (down ? -1 : 1) * compare(x, y);
      });
    heads.forEach((head, k) =>
      fill(clear(head), null, [
        columns[k].label || words(columns[k].name),
        columns[k].unit ? el("span", { class: "mute" }, " " + columns[k].unit) : null,
        at === k ? el("span", { class: "arr" }, down ? " \u2193" : " \u2191") : null,
      ]),
    );
    clear(body).append(
      ...rows.slice(0, all ? rows.length : limit).map((row) => {
        const line = el(
          "tr",
          { class: row.selected ? "sel" : null },
          columns.map((c, k) => {
            const custom = cell && cell(row, c, k);
            if (custom) return el("td", { class: c.numeric ? "num" : "" }, custom);
            const text = formats[k].show(row[k]),
              share = peaks[k] > 0 && isNum(row[k]) ? Math.max(0, row[k] / peaks[k]) : 0;
            return el(
              "td",
              { class: formats[k].numeric ? "num" : "", title: text.length > 40 ? text : null },
              share
                ? el(
                    "span",
                    { class: "cell" },
                    text,
                    el("i", { style: `width:${(110 * share).toFixed(0)}px` }),
                  )
                : text,
            );
          }),
        );
        if (options && options.click) {
          line.style.cursor = "pointer";
          line.addEventListener("click", () => options.click(row));
        }
        return line;
      }),
    );
    const total = table.num_rows ?? rows.length,
      part = rows.length < total;
    more.textContent = all ? "fewer" : "all " + grouped(rows.length) + (part ? " here" : "");
    fill(clear(foot), null, [
      rows.length > limit ? [more, " "] : null,
      part
        ? grouped(rows.length) + " of " + grouped(total) + " rows are in this page"
        : rows.length > limit
          ? grouped(total) + " rows"
          : null,
    ]);
    foot.hidden = !foot.textContent;
  }
  draw();
  const view = el(
    "div",
    {},
    el(
      "div",
      { class: "scroll", style: "max-height:520px" },
      el(
        "table",
        { class: columns.length <= 4 ? "narrow" : null },
        el("thead", {}, el("tr", {}, heads)),
        body,
      ),
    ),
    foot,
  );
  view.redraw = draw;
  return view;
}

// A value of a result: tables as tables, maps as rows of names, the rest as text.
function valueView(value, depth = 0) {
  if (value === null) return el("code", { class: "mute" }, "null");
  if (typeof value !== "object")
    return el(
      typeof value === "string" && value.includes("\n") ? "pre" : "code",
      {},
      typeof value === "number" && Number.isInteger(value) ? grouped(value) : String(value),
    );
  if (value.$table) return tableView(value.$table, { limit: 10 });
  if (value.$tensor)
    return el(
      "code",
      {},
      value.$tensor.dtype +
        " [" +
        value.$tensor.shape.join(", ") +
        "]  " +
        value.$tensor.sample
          .slice(0, 8)
          .map((v) => (v === null ? "nan" : short(v)))
          .join(" ") +
        (value.$tensor.sample.length > 8 ? " \u2026" : ""),
    );
  if (value.$bytes) return el("code", {}, bytes(value.$bytes.length) + " of bytes");
  if (value.$cut) return el("code", { class: "mute" }, value.$cut);
  const entries = Array.isArray(value) ? value.map((v, i) => [String(i), v]) : Object.entries(value);
  if (!entries.length) return el("code", { class: "mute" }, Array.isArray(value) ? "[]" : "{}");
  if (depth >= 5) return el("code", {}, JSON.stringify(value).slice(0, 200));
  return el(
    "dl",
    { class: "kv" },
    entries
      .slice(0, 100)
      .flatMap(([key, item]) => [el("dt", {}, key), el("dd", {}, valueView(item, depth + 1))]),
    entries.length > 100
      ? [el("dt", {}, "\u2026"), el("dd", { class: "mute" }, grouped(entries.length - 100) + " more")]
      : null,
  );
}
