// Draws the sections once the whole page has been read.
document.addEventListener("DOMContentLoaded", () => {
  const state = readRecords();
  if (!state.run) {
    document.getElementById("title").append(el("p", { class: "mute" }, "This page has no record of a run."));
    return;
  }
  const part = (id) => document.querySelector("#" + id + " .body");
  state.statusOf = (i) => {
    const s = state.statsOf(i),
      node = state.run.nodes[i];
    return s.failed
      ? "failed"
      : s.running && !state.summary
        ? "running"
        : s.runs || node.kind === "input"
          ? "ok"
          : "idle";
  };
  const marks = [];
  let chosen = -1;
  const select = (i) => {
    chosen = chosen === i ? -1 : i;
    marks.forEach((m) => m(chosen));
  };
  drawHead(state);
  const nav = document.querySelector("#nav .wrap");
  const show = (id, count, badge) => {
    const section = document.getElementById(id);
    section.hidden = !count;
    if (count)
      nav.append(
        el(
          "a",
          { href: "#" + id },
          section.querySelector("h2").firstChild.textContent,
          badge ? el("b", {}, grouped(count)) : null,
        ),
      );
  };
  const attempt = (id, draw, badge) => {
    // one broken part must not take the page with it
    document.getElementById(id).hidden = false;
    let count;
    try {
      count = draw(part(id));
    } catch (error) {
      part(id).append(el("p", { class: "card err" }, "this part could not be drawn: " + error.message));
      console.error(error);
      count = true;
    }
    show(id, count, badge && count !== true);
  };
  attempt("errors", (b) => drawErrors(b, state), true);
  attempt("results", (b) => drawResults(b, state));
  attempt(
    "pipeline",
    (b) => {
      const card = b.appendChild(el("div", { class: "card" }));
      marks.push(drawGraph(card, state.run, state.statsOf, state.statusOf, select).mark);
      return state.run.nodes.filter((n) => !n.hidden).length;
    },
    true,
  );
  attempt("timeline", (b) => drawTimeline(b.appendChild(el("div", { class: "card" })), state, select));
  attempt(
    "nodes",
    (b) => {
      const n = drawNodes(b, state, select);
      marks.push(n.mark);
      return n.count;
    },
    true,
  );
  attempt(
    "logs",
    (b) => {
      const l = drawLogs(b, state);
      marks.push(l.mark);
      return l.count;
    },
    true,
  );
  attempt("addresses", (b) => drawAddresses(b, state));
  attempt("changes", (b) => drawChanges(b, state));
  fill(document.getElementById("foot"), null, [
    "Written by Penstock " +
      (state.run.penstock || "") +
      " while the run went on. This file is complete in itself and loads nothing. Run ",
    el("code", {}, state.run.run_id || ""),
    state.run.command ? [" \u00b7 ", el("code", {}, state.run.command)] : null,
  ]);
  document.documentElement.dataset.ready = "yes";
});
