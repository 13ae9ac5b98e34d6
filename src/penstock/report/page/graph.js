// The pipeline as a layered graph, left to right: longest-path layers, dummy points on long edges,
// barycentre ordering with the fewest crossings kept, then positions by isotonic regression.
const BOX_W = 162,
  BOX_H = 46,
  GAP_X = 44,
  GAP_Y = 16;

function layoutGraph(count, edges) {
  const out = Array.from({ length: count }, () => []),
    into = Array.from({ length: count }, () => []);
  for (const [from, to] of edges) {
    out[from].push(to);
    into[to].push(from);
  }
  const layer = new Array(count).fill(0),
    waiting = into.map((list) => list.length),
    order = [];
  for (let i = 0; i < count; ++i) if (!waiting[i]) order.push(i);
  for (let at = 0; at < order.length; ++at)
    for (const to of out[order[at]]) {
      layer[to] = Math.max(layer[to], layer[order[at]] + 1);
      if (!--waiting[to]) order.push(to);
    }
  for (const i of order.slice().reverse())
    // sources move next to who reads them
    if (!into[i].length && out[i].length) layer[i] = Math.min(...out[i].map((to) => layer[to])) - 1;
  const points = Array.from({ length: count }, (_, i) => ({
    node: i,
    layer: layer[i],
    h: BOX_H,
    up: [],
    down: [],
  }));
  const paths = [],
    long = edges.reduce((sum, [a, b]) => sum + Math.max(0, layer[b] - layer[a] - 1), 0) > 4000;
  const linked = new Map();
  for (const [from, to] of edges) {
    const key = from + ">" + to;
    if (linked.has(key)) {
      paths.push(linked.get(key));
      continue;
    }
    const path = [from];
    if (!long)
      for (let l = layer[from] + 1; l < layer[to]; ++l) {
        path.push(points.length);
        points.push({ node: -1, layer: l, h: 4, up: [], down: [] });
      }
    path.push(to);
    for (let k = 1; k < path.length; ++k) {
      points[path[k - 1]].down.push(path[k]);
      points[path[k]].up.push(path[k - 1]);
    }
    linked.set(key, path);
    paths.push(path);
  }
  const depth = Math.max(0, ...points.map((p) => p.layer)) + 1;
  const layers = Array.from({ length: depth }, () => []);
  points.forEach((p, i) => layers[p.layer].push(i));
  orderLayers(points, layers);
  placeLayers(points, layers);
  return { points, paths, depth };
}

function orderLayers(points, layers) {
  const place = () =>
    layers.forEach((list) =>
      list.forEach((i, k) => {
        points[i].k = k;
      }),
    );
  place();
  let best = Infinity,
    kept = null;
  for (let sweep = 0; sweep < 14 && best > 0; ++sweep) {
    const downward = sweep % 2 === 0,
      side = downward ? "up" : "down";
    for (let s = 1; s < layers.length; ++s) {
      const list = layers[downward ? s : layers.length - 1 - s];
      for (const i of list) {
        const near = points[i][side];
        const alone = !points[i].up.length && !points[i].down.length;
        points[i].want = near.length
          ? near.reduce((sum, j) => sum + points[j].k, 0) / near.length
          : alone
            ? 1e9
            : points[i].k;
      }
      list.sort((a, b) => points[a].want - points[b].want || points[a].k - points[b].k);
      list.forEach((i, k) => {
        points[i].k = k;
      });
    }
    const crossings = countCrossings(points, layers);
    if (crossings < best) {
      best = crossings;
      kept = layers.map((list) => list.slice());
    }
  }
  if (kept)
    kept.forEach((list, l) => {
      layers[l] = list;
    });
  place();
}

function countCrossings(points, layers) {
  // inversions between neighbouring layers, by a Fenwick tree
  let total = 0;
  for (let l = 0; l + 1 < layers.length; ++l) {
    const width = layers[l + 1].length,
      tree = new Array(width + 1).fill(0);
    let seen = 0;
    for (const i of layers[l]) {
      const ends = points[i].down.map((j) => points[j].k);
      for (const k of ends) {
        let below = 0;
        for (let t = k + 1; t > 0; t -= t & -t) below += tree[t];
        total += seen - below;
      }
      for (const k of ends) {
        ++seen;
        for (let t = k + 1; t <= width; t += t & -t) ++tree[t];
      }
    }
  }
  return total;
}

function placeLayers(points, layers) {
  const offsets = layers.map((list) => {
    let y = 0;
    return list.map((i, k) => {
      if (k) y += (points[list[k - 1]].h + points[i].h) / 2 + GAP_Y;
      return y;
    });
  });
  layers.forEach((list, l) =>
    list.forEach((i, k) => {
      points[i].y = offsets[l][k] - (offsets[l].at(-1) || 0) / 2;
    }),
  );
  for (let round = 0; round < 12; ++round) {
    const downward = round % 2 === 0;
    for (let s = 0; s < layers.length; ++s) {
      const l = downward ? s : layers.length - 1 - s,
        list = layers[l];
      const want = list.map((i, k) => {
        const p = points[i],
          near = round < 10 ? (downward ? p.up : p.down) : p.up.concat(p.down);
        const y = near.length ? near.reduce((sum, j) => sum + points[j].y, 0) / near.length : p.y;
        return y - offsets[l][k];
      });
      isotonic(
        want,
        list.map((i) => (!points[i].up.length && !points[i].down.length ? 1e-6 : points[i].node < 0 ? 3 : 1)),
      ).forEach((y, k) => {
        points[list[k]].y = y + offsets[l][k];
      });
    }
  }
  const top = Math.min(...points.map((p) => p.y - p.h / 2));
  for (const p of points) p.y -= top;
}

function isotonic(want, weight) {
  // nearest non-decreasing sequence in least squares (pool adjacent violators)
  const pools = [];
  want.forEach((y, k) => {
    pools.push({ y, w: weight[k], n: 1 });
    while (pools.length > 1 && pools.at(-2).y > pools.at(-1).y) {
      const b = pools.pop(),
        a = pools.pop(),
        w = a.w + b.w;
      pools.push({ y: (a.y * a.w + b.y * b.w) / w, w, n: a.n + b.n });
    }
  });
  return pools.flatMap((p) => new Array(p.n).fill(p.y));
}

const clip = (text, chars) => (text.length > chars ? text.slice(0, chars - 1) + "\u2026" : text);

// The operator in at most `chars`: the end of a dotted name says most.
function operatorText(node, chars) {
  const text = node.operator || node.kind;
  return clip(text.length > chars ? text.split(".").at(-1) : text, Math.max(4, chars));
}

function drawGraph(host, run, statsOf, statusOf, select) {
  const ids = run.nodes.map((_, i) => i).filter((i) => !run.nodes[i].hidden),
    nodes = ids.map((i) => run.nodes[i]),
    place = new Map(ids.map((i, k) => [i, k]));
  const edges = (run.edges || [])
    .filter(([a, b]) => place.has(a) && place.has(b))
    .map(([a, b, ...rest]) => [place.get(a), place.get(b), ...rest]);
  const { points, paths, depth } = layoutGraph(nodes.length, edges);
  const X = (p) => 10 + p.layer * (BOX_W + GAP_X),
    width = depth * (BOX_W + GAP_X) - GAP_X + 22;
  const height = Math.max(...points.map((p) => p.y + p.h / 2)) + 26,
    total = Math.max(1, ...ids.map((i) => statsOf(i).total_us || 0));
  const curves = [],
    holder = el("div", { class: "graph scroll" });
  const svg = sv("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Pipeline graph" });
  edges.forEach(([from, to, signal, slot, optional], e) => {
    const path = paths[e],
      first = points[path[0]];
    let d = `M${X(first) + BOX_W},${(first.y + 10).toFixed(1)}`,
      x0 = X(first) + BOX_W,
      y0 = first.y + 10;
    for (let k = 1; k < path.length; ++k) {
      const p = points[path[k]],
        x = X(p),
        y = p.y + 10,
        bend = Math.max(22, (x - x0) / 2);
      d += `C${x0 + bend},${y0.toFixed(1)} ${x - bend},${y.toFixed(1)} ${x},${y.toFixed(1)}`;
      x0 = x;
      y0 = y;
      if (p.node < 0) {
        d += `H${x + BOX_W}`;
        x0 = x + BOX_W;
      }
    }
    const what =
      nodes[from].id +
      "." +
      signal +
      " \u2192 " +
      nodes[to].id +
      (slot ? "(" + slot + ")" : "") +
      (optional ? "\noptional" : "");
    const line = sv("path", { class: "e" + (optional ? " opt" : ""), d, tip: what });
    curves.push({ from, to, line });
    svg.append(line, sv("path", { d, fill: "none", stroke: "transparent", "stroke-width": 9, tip: what }));
  });
  const boxes = nodes.map((node, i) => {
    const p = points[i],
      at = ids[i],
      stats = statsOf(at),
      status = statusOf(at),
      x = X(p),
      y = p.y + 10 - BOX_H / 2,
      share = (stats.total_us || 0) / total;
    const counts =
      (stats.runs > 1 ? short(stats.runs) + "\u00d7 " : "") +
      (stats.total_us ? duration(stats.total_us) : "");
    const box = sv(
      "g",
      {
        class: "n",
        tabindex: 0,
        "data-node": node.id,
        onclick: () => select(at),
        onpointerenter: () => light(i),
        onpointerleave: () => light(-1),
        tip: () => nodeTip(node, stats, status),
      },
      node.depth > 0 &&
        [2, 1].map((k) =>
          sv("rect", { class: "stack", x: x + 3 * k, y: y - 3 * k, width: BOX_W, height: BOX_H, rx: 6 }),
        ),
      sv("rect", { class: "box", x, y, width: BOX_W, height: BOX_H, rx: 6 }),
      sv("rect", { x: x + 8, y: y + 11, width: 9, height: 9, rx: 2.5, style: `fill:${nodeColor(at)}` }),
      sv("text", { class: "id", x: x + 23, y: y + 20 }, clip(node.id, 17)),
      sv("text", { class: "op", x: x + 9, y: y + 36 }, operatorText(node, 22 - counts.length)),
      sv("text", { class: "op", x: x + BOX_W - 9, y: y + 36, "text-anchor": "end" }, counts),
      share > 0.004 &&
        sv("rect", {
          x: x + 6,
          y: y + BOX_H - 3,
          width: Math.max(2, (BOX_W - 12) * share),
          height: 3,
          rx: 1.5,
          style: `fill:${nodeColor(at)}`,
        }),
      status !== "idle" &&
        sv("circle", {
          cx: x + BOX_W - 12,
          cy: y + 15,
          r: 4,
          style: `fill:var(--${{ ok: "ok", failed: "bad", running: "run" }[status] || "idle"})`,
        }),
    );
    svg.append(box);
    return box;
  });
  function light(i) {
    holder.classList.toggle("hot", i >= 0);
    if (i < 0) return;
    const lit = new Set([i]);
    for (const [side, other] of [
      ["from", "to"],
      ["to", "from"],
    ]) {
      const queue = [i],
        seen = new Set(queue);
      while (queue.length) {
        const at = queue.pop();
        for (const c of curves)
          if (c[side] === at && !seen.has(c[other])) {
            seen.add(c[other]);
            lit.add(c[other]);
            queue.push(c[other]);
          }
      }
    }
    curves.forEach((c) => c.line.classList.toggle("on", lit.has(c.from) && lit.has(c.to)));
    boxes.forEach((b, k) => b.classList.toggle("on", lit.has(k)));
  }
  let fit = true;
  const size = () => {
    const scale = fit
      ? Math.min(1, Math.max(nodes.length > 120 ? 0.42 : 0.62, (holder.clientWidth - 2) / width))
      : 1;
    svg.setAttribute("width", Math.round(width * scale));
    svg.setAttribute("height", Math.round(height * scale));
  };
  const button = el(
    "button",
    {
      class: "btn",
      type: "button",
      onclick: () => {
        fit = !fit;
        button.textContent = fit ? "100 %" : "fit";
        size();
      },
    },
    "100 %",
  );
  const stacked = nodes.some((n) => n.depth > 0);
  host.append(
    el(
      "div",
      { class: "bar" },
      el(
        "span",
        { class: "mute" },
        plural(nodes.length, "node") +
          ", " +
          plural(edges.length, "edge") +
          (stacked ? "; stacked boxes run once per element of a map" : ""),
      ),
      el("span", { class: "gap" }),
      button,
    ),
    holder,
  );
  holder.append(svg);
  onWidth(holder, size);
  return { mark: (i) => boxes.forEach((b, k) => b.classList.toggle("sel", ids[k] === i)) };
}

function nodeTip(node, stats, status) {
  const lines = [node.id, node.operator || node.kind];
  if (node.description) lines.push(node.description);
  const facts = [
    stats.runs ? plural(stats.runs, "run") : status === "idle" ? "did not run" : "",
    stats.failed ? stats.failed + " failed" : "",
    stats.no_event ? plural(stats.no_event, "absent event") : "",
  ].filter(Boolean);
  if (facts.length) lines.push(facts.join(", "));
  if (stats.total_us)
    lines.push(
      "total " +
        duration(stats.total_us) +
        ", median " +
        duration(stats.p50_us) +
        ", max " +
        duration(stats.max_us),
    );
  if (node.depth > 0) lines.push("inside " + plural(node.depth, "map"));
  if (node.stateful) lines.push("stateful: in epoch order, in one place");
  return lines.join("\n");
}
