// Plots from declarative records: bar, line, scatter, heat, table (map is in map.js).
// x: {label, values}; y: {label, unit}; series: [{label, values, x?, size?, text?}].
const PLOTS = {};

function plotCard(plot) {
  const draw = PLOTS[plot.kind],
    wide =
      plot.kind === "map" || plot.wide || (plot.kind === "table" && plot.columns && plot.columns.length > 7);
  const card = el(
    "div",
    { class: "card" + (wide ? " full" : ""), "data-plot": plot.kind },
    el(
      "div",
      { class: "bar" },
      el("h3", {}, plot.title || words(plot.kind), plot.subtitle ? el("small", {}, plot.subtitle) : null),
    ),
  );
  if (plot.error) card.append(el("p", { class: "note" }, plot.error));
  else if (draw) draw(card, plot);
  else card.append(el("p", { class: "note" }, "this page knows no plot kind " + JSON.stringify(plot.kind)));
  if (plot.note) card.append(el("p", { class: "note" }, plot.note));
  return card;
}

// The box of a chart: it takes the height its row of cards leaves it.
function plotBox() {
  const box = el("div", { class: "plot" });
  box.fit = (width) => {
    box.style.minHeight = Math.round(Math.max(200, Math.min(300, width * 0.46))) + "px";
    return Math.min(480, box.clientHeight);
  };
  return box;
}
const axisName = (axis) =>
  (axis && axis.label ? words(axis.label) : "") + (axis && axis.unit ? " [" + axis.unit + "]" : "");

// Frame with y axis, grid and clip; returns the scales. `xs`: numbers (continuous) or labels (bands).
function frame(width, plot, low, high, xs, options = {}) {
  const height = options.height,
    pad = Math.max(6, ...ticks(low, high, 5).map((v) => short(v).length)) * 6.2;
  const box = {
    left: Math.round(pad + 8),
    right: width - 10,
    top: 22,
    bottom: height - (plot.x && plot.x.label ? 38 : 22),
  };
  const continuous = options.continuous,
    svg = sv("svg", {
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label": plot.title || plot.kind,
    });
  const Y = (v) => box.bottom - ((v - low) / (high - low || 1)) * (box.bottom - box.top);
  const band = (box.right - box.left) / Math.max(1, xs.length);
  const X = continuous
    ? (v) => box.left + ((v - options.xlow) / (options.xhigh - options.xlow || 1)) * (box.right - box.left)
    : (k) => box.left + band * (k + 0.5);
  for (const v of ticks(low, high, 5))
    svg.append(
      sv("line", {
        class: v === 0 ? "ax" : "gr",
        x1: box.left,
        x2: box.right,
        y1: Math.round(Y(v)) + 0.5,
        y2: Math.round(Y(v)) + 0.5,
      }),
      sv("text", { x: box.left - 7, y: Y(v) + 4, "text-anchor": "end" }, short(v)),
    );
  if (continuous)
    for (const v of ticks(options.xlow, options.xhigh, Math.max(3, width / 90)))
      svg.append(
        sv("line", {
          class: "gr",
          x1: Math.round(X(v)) + 0.5,
          x2: Math.round(X(v)) + 0.5,
          y1: box.top,
          y2: box.bottom,
        }),
        sv(
          "text",
          { x: X(v), y: box.bottom + 15, "text-anchor": "middle" },
          options.plainX ? String(v) : short(v),
        ),
      );
  else {
    const longest = Math.max(1, ...xs.map((v) => String(v).length)),
      every = Math.max(1, Math.ceil((longest * 6.4 + 8) / band)),
      fits = Math.max(2, Math.floor((band * every) / 6));
    xs.forEach((v, k) => {
      if (k % every === 0)
        svg.append(
          sv(
            "text",
            { x: X(k), y: box.bottom + 15, "text-anchor": "middle" },
            clip(String(v), Math.max(6, fits)),
          ),
        );
    });
  }
  svg.append(
    sv("line", { class: "ax", x1: box.left, x2: box.right, y1: box.bottom + 0.5, y2: box.bottom + 0.5 }),
  );
  svg.append(sv("text", { class: "title", x: 2, y: 11 }, axisName(plot.y)));
  if (plot.x && plot.x.label)
    svg.append(
      sv(
        "text",
        { class: "title", x: (box.left + box.right) / 2, y: height - 4, "text-anchor": "middle" },
        axisName(plot.x),
      ),
    );
  return { svg, box, X, Y, band };
}

function range(values, zero) {
  let low = Infinity,
    high = -Infinity;
  for (const v of values)
    if (isNum(v)) {
      if (v < low) low = v;
      if (v > high) high = v;
    }
  if (!(low <= high)) return [0, 1];
  if (zero || (low > 0 && low < (high - low) * 0.6)) low = Math.min(0, low);
  if (zero) high = Math.max(0, high);
  if (low === high) {
    low -= Math.abs(low) * 0.1 || 1;
    high += Math.abs(high) * 0.1 || 1;
  }
  return [low < 0 ? low - (high - low) * 0.04 : low, high + (high - low) * 0.06];
}
const legend = (plot) =>
  plot.series.length > 1 &&
  el(
    "div",
    { class: "legend" },
    plot.series.map((s, i) =>
      el("span", {}, el("i", { class: "swatch", style: `background:${nodeColor(i)}` }), s.label),
    ),
  );

PLOTS.bar = (card, plot) => {
  const holder = plotBox(),
    many = plot.series.length,
    xs = plot.x.values,
    unit = plot.y && plot.y.unit ? " " + plot.y.unit : "";
  card.append(holder);
  if (many > 1) card.append(legend(plot));
  onWidth(holder, (width, height) => {
    const [low, high] = range(
        plot.series.flatMap((s) => s.values),
        true,
      ),
      f = frame(width, plot, low, high, xs, { height }),
      zero = f.Y(0);
    const thick = Math.max(1, Math.min(46, f.band * (many > 1 ? 0.82 : 0.74)) / many);
    plot.series.forEach((s, i) =>
      s.values.forEach((v, k) => {
        if (!isNum(v)) return;
        const x = f.X(k) - (thick * many) / 2 + i * thick,
          y = f.Y(v);
        f.svg.append(
          sv("rect", {
            x: x.toFixed(1),
            y: Math.min(y, zero).toFixed(1),
            width: Math.max(0.8, thick - (many > 1 ? 1 : 0)).toFixed(1),
            height: Math.max(0.8, Math.abs(y - zero)).toFixed(1),
            rx: Math.min(2, thick / 4),
            style: `fill:${many > 1 ? nodeColor(i) : "var(--accent)"}`,
            opacity: 0.88,
            tip: () =>
              xs[k] +
              (many > 1 ? ", " + s.label : "") +
              "\n" +
              (axisName({ label: plot.y && plot.y.label }) || "value") +
              " " +
              short(v) +
              unit +
              (s.text && s.text[k] !== null && s.text[k] !== undefined ? "\n" + s.text[k] : ""),
          }),
        );
      }),
    );
    clear(holder).append(f.svg);
  });
};

PLOTS.line = (card, plot) => {
  const holder = plotBox(),
    xs = plot.x.values,
    continuous = xs.length > 1 && xs.every(isNum);
  card.append(holder);
  if (plot.series.length > 1) card.append(legend(plot));
  onWidth(holder, (width, height) => {
    const [low, high] = range(
      plot.series.flatMap((s) => s.values),
      plot.zero,
    );
    const f = frame(
        width,
        plot,
        low,
        high,
        xs,
        continuous
          ? {
              continuous,
              xlow: Math.min(...xs),
              xhigh: Math.max(...xs),
              plainX: xs.every(Number.isInteger) && Math.max(...xs) < 3000,
              height,
            }
          : { height },
      ),
      X = continuous ? (k) => f.X(xs[k]) : f.X;
    plot.series.forEach((s, i) => {
      let d = "",
        on = false;
      s.values.forEach((v, k) => {
        if (!isNum(v)) {
          on = false;
          return;
        }
        d += (on ? "L" : "M") + X(k).toFixed(1) + "," + f.Y(v).toFixed(1);
        on = true;
      });
      f.svg.append(
        sv("path", {
          d,
          style: `fill:none;stroke:${plot.series.length > 1 ? nodeColor(i) : "var(--accent)"};stroke-width:1.8;stroke-linejoin:round`,
        }),
      );
      if (s.values.length <= 60)
        s.values.forEach((v, k) => {
          if (isNum(v))
            f.svg.append(
              sv("circle", {
                cx: X(k).toFixed(1),
                cy: f.Y(v).toFixed(1),
                r: 2.6,
                style: `fill:${plot.series.length > 1 ? nodeColor(i) : "var(--accent)"}`,
              }),
            );
        });
    });
    const cursor = sv("line", { class: "ax", y1: f.box.top, y2: f.box.bottom, visibility: "hidden" });
    f.svg.append(
      cursor,
      sv("rect", {
        x: f.box.left,
        y: f.box.top,
        width: f.box.right - f.box.left,
        height: f.box.bottom - f.box.top,
        fill: "transparent",
        tip: (event) => {
          const at = event.clientX - f.svg.getBoundingClientRect().left;
          let near = 0;
          xs.forEach((_, k) => {
            if (Math.abs(X(k) - at) < Math.abs(X(near) - at)) near = k;
          });
          cursor.setAttribute("x1", X(near));
          cursor.setAttribute("x2", X(near));
          cursor.setAttribute("visibility", "visible");
          return [
            axisName({ label: plot.x.label }) + " " + xs[near],
            ...plot.series.map(
              (s) =>
                (s.label ? words(s.label) + " " : "") +
                (isNum(s.values[near]) ? short(s.values[near]) : "\u2013") +
                (plot.y && plot.y.unit ? " " + plot.y.unit : ""),
            ),
          ].join("\n");
        },
        onpointerleave: () => cursor.setAttribute("visibility", "hidden"),
      }),
    );
    clear(holder).append(f.svg);
  });
};

PLOTS.scatter = (card, plot) => {
  const holder = plotBox(),
    all = plot.series.flatMap((s) => s.x),
    big = Math.max(0, ...plot.series.flatMap((s) => s.size || []).filter(isNum));
  card.append(holder);
  if (plot.series.length > 1) card.append(legend(plot));
  onWidth(holder, (width, height) => {
    const [low, high] = range(plot.series.flatMap((s) => s.values)),
      [xlow, xhigh] = range(all),
      f = frame(width, plot, low, high, [], { continuous: true, xlow, xhigh, height });
    plot.series.forEach((s, i) =>
      s.values.forEach((v, k) => {
        if (!isNum(v) || !isNum(s.x[k])) return;
        const r = s.size && big ? Math.max(1.4, 13 * Math.sqrt(Math.max(0, s.size[k] || 0) / big)) : 2.8;
        f.svg.append(
          sv("circle", {
            cx: f.X(s.x[k]).toFixed(1),
            cy: f.Y(v).toFixed(1),
            r: r.toFixed(1),
            style: `fill:${plot.series.length > 1 ? nodeColor(i) : "var(--accent)"};stroke:var(--card);stroke-width:.6`,
            opacity: 0.62,
            tip: [
              s.text ? s.text[k] : s.label,
              axisName({ label: plot.x.label }) + " " + short(s.x[k]),
              axisName({ label: plot.y.label }) + " " + short(v),
              s.size && plot.size ? words(plot.size.label) + " " + short(s.size[k]) : "",
            ]
              .filter(Boolean)
              .join("\n"),
          }),
        );
      }),
    );
    clear(holder).append(f.svg);
  });
};

// Legend of a colour scale: a strip with ticks. Drawn as steps so it needs no gradient ids.
function scaleLegend(scale, label, unit, middle, clipped) {
  const steps = 48,
    w = 220,
    svg = sv("svg", {
      width: w + 44,
      height: 36,
      viewBox: `-22 0 ${w + 44} 36`,
      role: "img",
      "aria-label": label,
    });
  for (let k = 0; k < steps; ++k)
    svg.append(
      sv("rect", {
        x: (k * w) / steps,
        y: 0,
        width: w / steps + 0.4,
        height: 9,
        style: `fill:${scale.at(scale.low + ((k + 0.5) / steps) * (scale.high - scale.low))}`,
      }),
    );
  for (const v of ticks(scale.low, scale.high, 4)) {
    const x = ((v - scale.low) / (scale.high - scale.low)) * w;
    svg.append(
      sv("line", { class: "ax", x1: x, x2: x, y1: 9, y2: 13 }),
      sv("text", { x, y: 24, "text-anchor": "middle" }, short(v)),
    );
  }
  return el(
    "span",
    {
      style: "display:inline-flex;align-items:flex-start;gap:4px",
      title: clipped ? "colours end at the 2nd and 98th percentile" : null,
    },
    el(
      "span",
      { class: "soft", style: "font-size:12px;line-height:12px" },
      words(label) + (unit ? " [" + unit + "]" : ""),
    ),
    svg,
  );
}

PLOTS.heat = (card, plot) => {
  const holder = el("div", {}),
    scale = () => colorScale(plot.z.flat(), plot.middle),
    strip = el("div", { class: "legend" });
  card.append(holder, strip);
  onWidth(holder, (width) => {
    const xs = plot.x.values,
      ys = plot.y.values,
      color = scale(),
      left = Math.min(width * 0.3, Math.max(...ys.map((v) => String(v).length), 3) * 7.4 + 14),
      cell = (width - left - 4) / xs.length,
      row = Math.max(13, Math.min(26, cell)),
      height = 18 + row * ys.length + 34;
    const svg = sv("svg", {
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label": plot.title || "heat map",
    });
    ys.forEach((label, r) => {
      svg.append(
        sv(
          "text",
          { x: left - 6, y: 18 + row * (r + 0.5) + 4, "text-anchor": "end" },
          clip(String(label), 24),
        ),
      );
      xs.forEach((x, c) => {
        const v = plot.z[r][c];
        svg.append(
          sv("rect", {
            x: left + c * cell,
            y: 18 + r * row,
            width: Math.max(0.5, cell - 1),
            height: row - 1,
            rx: 1.5,
            style: `fill:${isNum(v) ? color.at(v) : "var(--hair)"}`,
            tip:
              words(plot.y.label || "") +
              " " +
              label +
              ", " +
              words(plot.x.label || "") +
              " " +
              x +
              "\n" +
              (isNum(v)
                ? words(plot.color.label || "value") +
                  " " +
                  short(v) +
                  (plot.color.unit ? " " + plot.color.unit : "")
                : "no data"),
          }),
        );
      });
    });
    const every = Math.max(1, Math.ceil((Math.max(...xs.map((v) => String(v).length)) * 6.4 + 8) / cell));
    xs.forEach((x, c) => {
      if (c % every === 0)
        svg.append(
          sv("text", { x: left + (c + 0.5) * cell, y: height - 20, "text-anchor": "middle" }, String(x)),
        );
    });
    svg.append(
      sv("text", { class: "title", x: 2, y: 11 }, axisName(plot.y)),
      sv(
        "text",
        { class: "title", x: (left + width) / 2, y: height - 4, "text-anchor": "middle" },
        axisName(plot.x),
      ),
    );
    clear(holder).append(svg);
    clear(strip).append(scaleLegend(color, plot.color.label || "value", plot.color.unit, plot.middle, true));
  });
};

PLOTS.table = (card, plot) =>
  card.append(
    tableView(plot, {
      limit: plot.limit || 15,
      sort: plot.sort || "",
      bars: plot.bars || (plot.sort ? [plot.sort.replace(/^-/, "")] : []),
    }),
  );
