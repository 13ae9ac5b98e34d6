// Reads the records (docs/formats/run-record.md) and folds them into one state.
function readRecords() {
  const state = {
    run: null,
    bars: [],
    slices: [],
    more_runs: 0,
    stats: new Map(),
    logs: [],
    results: [],
    plots: new Map(),
    errors: [],
    changes: null,
    summary: null,
    last_us: 0,
    broken: 0,
  };
  for (const block of document.querySelectorAll('script[type="application/json"]')) {
    let records;
    try {
      records = JSON.parse(block.textContent);
    } catch (_) {
      state.broken += 1;
      continue;
    } // a killed run may stop inside its last block
    for (const record of Array.isArray(records) ? records : [records]) take(state, record);
  }
  state.statsOf = (i) => state.stats.get(i) || {};
  if (state.run) completeRecords(state);
  return state;
}

// What a run that was cut short did not come to write: counts from the bars, the time of the end.
function completeRecords(state) {
  const { run } = state,
    read = new Set((run.edges || []).map(([from]) => from));
  run.nodes.forEach((node, i) => {
    node.hidden = node.kind === "input" && !read.has(i);
  });
  const count = run.nodes.length,
    beyond = (i) => i >= count;
  if (run.more_nodes)
    run.nodes.push({
      id: "other nodes",
      operator: grouped(run.more_nodes) + " not drawn",
      kind: "operator",
      depth: 0,
    });
  for (const item of state.bars.concat(state.slices, state.logs))
    if (isNum(item.node) && beyond(item.node)) item.node = run.more_nodes ? count : 0;
  for (const b of state.bars) state.last_us = Math.max(state.last_us, b.start + b.dur);
  if (state.summary) return;
  const seen = new Map();
  for (const b of state.bars) {
    if (!seen.has(b.node)) seen.set(b.node, []);
    seen.get(b.node).push(b);
  }
  for (const [node, bars] of seen) {
    const times = bars.map((b) => b.dur),
      known = state.stats.get(node),
      failed = bars.filter((b) => b.status === 3).length;
    if (!known || known.runs < bars.length)
      state.stats.set(node, {
        ...known,
        node,
        runs: bars.length,
        failed,
        total_us: times.reduce((a, b) => a + b, 0),
        p50_us: quantile(times, 0.5),
        p95_us: quantile(times, 0.95),
        max_us: Math.max(...times),
      });
  }
}

function take(state, r) {
  if (isNum(r.t_us)) state.last_us = Math.max(state.last_us, r.t_us);
  switch (r.type) {
    case "run":
      state.run = r;
      break;
    case "node_runs":
      for (const [node, epoch, worker, start, dur, status] of r.runs)
        state.bars.push({ node, epoch, worker, start, dur, status });
      break;
    case "slices":
      for (const [worker, start, end, busy, count, node] of r.slices) {
        state.slices.push({ worker, start, end, busy, count, node });
        state.more_runs += count;
      }
      break;
    case "stats":
      for (const s of r.nodes) state.stats.set(s.node, s);
      break;
    case "log":
      for (const [t, node, epoch, level, text] of r.lines) state.logs.push({ t, node, epoch, level, text });
      break;
    case "result":
      state.results.push(r);
      break;
    case "plot":
      state.plots.set(r.id, r);
      break;
    case "error":
      state.errors.push(r);
      break;
    case "changes":
      state.changes = r;
      break;
    case "summary":
      state.summary = r;
      break;
  }
}
