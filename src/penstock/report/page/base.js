"use strict";
// Small tools every part uses: elements, numbers, colours, the tooltip.
const el = (tag, attrs, ...kids) => fill(document.createElement(tag), attrs, kids);
const sv = (tag, attrs, ...kids) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attrs, kids);
function fill(node, attrs, kids) {
  for (const [key, value] of Object.entries(attrs || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "tip") node.__tip = value;
    else node.setAttribute(key, value === true ? "" : value);
  }
  for (const kid of kids.flat(9)) if (kid !== null && kid !== undefined && kid !== false) node.append(kid);
  return node;
}
const clear = (node) => {
  node.textContent = "";
  return node;
};

const isNum = (x) => typeof x === "number" && Number.isFinite(x);
const grouped = (x) => {
  const [whole, rest] = String(x).split(".");
  const spaced = whole.replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
  return (rest === undefined ? spaced : spaced + "." + rest).replace(/^-/, "\u2212");
};
const fixed = (x, digits) => grouped(Number(x).toFixed(digits));
function short(x) {
  // at most four significant digits, for axes and labels
  if (!isNum(x)) return x === null || x === undefined ? "" : String(x);
  const a = Math.abs(x);
  if (a >= 1e9) return fixed(x / 1e9, a >= 1e10 ? 0 : 1) + "G";
  if (a >= 1e6) return fixed(x / 1e6, a >= 1e7 ? 0 : 1) + "M";
  if (a >= 1e4) return fixed(x / 1e3, a >= 1e5 ? 0 : 1) + "k";
  if (Number.isInteger(x)) return grouped(x);
  return a < 1e-3 ? x.toExponential(1) : grouped(Number(x.toPrecision(a >= 100 ? 4 : 3)));
}
function duration(us) {
  if (!isNum(us)) return "";
  if (us < 1) return fixed(us * 1e3, 0) + " ns";
  if (us < 1e3) return fixed(us, us < 10 ? 1 : 0) + " \u00b5s";
  if (us < 1e6) return fixed(us / 1e3, us < 1e4 ? 2 : us < 1e5 ? 1 : 0) + " ms";
  if (us < 6e7) return fixed(us / 1e6, us < 1e7 ? 2 : 1) + " s";
  const s = Math.round(us / 1e6),
    h = Math.floor(s / 3600),
    m = Math.floor(s / 60) % 60;
  return h ? h + " h " + m + " min" : m + " min " + (s % 60) + " s";
}
function bytes(n) {
  if (!isNum(n)) return "";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  while (n >= 1024 && i < 4) {
    n /= 1024;
    ++i;
  }
  return fixed(n, i && n < 10 ? 1 : 0) + " " + units[i];
}
const plural = (n, one, many) => grouped(n) + " " + (n === 1 ? one : many || one + "s");
const words = (name) => String(name).replace(/_/g, " ");

const dark = () => matchMedia("(prefers-color-scheme: dark)").matches;
// Categorical colour of node i: golden-angle hues at one lightness, so no node shouts.
const nodeColor = (i) => `oklch(var(--nl) var(--nc) ${(232 + i * 137.508) % 360})`;
// Sequential scale, t in [0,1]: lightness is linear in t (perceptually uniform); hue runs sand-orange-crimson-plum.
function sequential(t) {
  t = Math.max(0, Math.min(1, t));
  const hue = 88 - 118 * t,
    chroma = 0.06 + 0.13 * Math.sin(Math.PI * Math.min(1, 0.18 + t * 0.86));
  return `oklch(${dark() ? 0.34 + 0.56 * t : 0.87 - 0.52 * t} ${chroma.toFixed(4)} ${((dark() ? -30 + 118 * t : hue) + 360) % 360})`;
}
// Diverging scale, t in [-1,1]: blue below, neutral at 0, orange-red above.
function diverging(t) {
  const a = Math.min(1, Math.abs(t)),
    hue = t < 0 ? 240 : 38;
  return `oklch(${dark() ? 0.42 + 0.36 * a : 0.86 - 0.34 * a} ${(0.012 + 0.15 * a).toFixed(4)} ${hue})`;
}
function quantile(values, q) {
  const v = values.filter(isNum).sort((a, b) => a - b);
  if (!v.length) return NaN;
  const at = (v.length - 1) * q,
    low = Math.floor(at);
  return v[low] + (v[Math.min(low + 1, v.length - 1)] - v[low]) * (at - low);
}
// Colour scale over data: ends clipped at the 2nd and 98th percentile so one outlier cannot flatten the rest.
function colorScale(values, middle) {
  let low = quantile(values, 0.02),
    high = quantile(values, 0.98);
  if (!(high > low)) high = low + 1;
  if (isNum(middle)) {
    const reach = Math.max(middle - low, high - middle);
    return {
      low: middle - reach,
      high: middle + reach,
      at: (x) => (isNum(x) ? diverging((x - middle) / reach) : "var(--idle)"),
    };
  }
  return { low, high, at: (x) => (isNum(x) ? sequential((x - low) / (high - low)) : "var(--idle)") };
}
function ticks(low, high, count) {
  const span = high - low;
  if (!(span > 0)) return [low];
  const raw = span / Math.max(1, count),
    power = 10 ** Math.floor(Math.log10(raw)),
    lead = raw / power;
  const step = power * (lead >= 7.1 ? 10 : lead >= 3.2 ? 5 : lead >= 1.5 ? 2 : 1),
    out = [];
  for (let v = Math.ceil(low / step - 1e-9) * step; v <= high + step * 1e-9; v += step)
    out.push(Number(v.toPrecision(12)));
  return out;
}

const tip = {
  show(event, text) {
    const box = document.getElementById("tip");
    box.textContent = text;
    box.hidden = false;
    const w = box.offsetWidth,
      h = box.offsetHeight;
    box.style.left = Math.max(6, Math.min(event.clientX + 14, innerWidth - w - 8)) + "px";
    box.style.top =
      (event.clientY + h + 26 > innerHeight ? event.clientY - h - 10 : event.clientY + 16) + "px";
  },
  hide() {
    document.getElementById("tip").hidden = true;
  },
};
// One listener for all tooltips: an element made with {tip: text or function} shows it.
addEventListener("pointermove", (event) => {
  let node = event.target;
  while (node && node.__tip === undefined) node = node.parentNode;
  if (node) tip.show(event, typeof node.__tip === "function" ? node.__tip(event) : node.__tip);
  else tip.hide();
});
addEventListener("scroll", () => tip.hide(), { passive: true });

function copyButton(text) {
  return el(
    "button",
    {
      class: "btn",
      type: "button",
      title: "Copy",
      "aria-label": "Copy " + text,
      onclick: (event) => {
        const button = event.currentTarget,
          done = () => {
            button.textContent = "copied";
            setTimeout(() => {
              button.textContent = "copy";
            }, 1200);
          };
        if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, () => {});
        else {
          const area = el("textarea", {}, text);
          document.body.append(area);
          area.select();
          document.execCommand("copy");
          area.remove();
          done();
        }
      },
    },
    "copy",
  );
}
const cidView = (cid) => el("span", { class: "cid" }, el("code", { title: cid }, cid), copyButton(cid));
// Calls draw(width, height) now and whenever the element's size or the colour scheme changes. The
// height counts only for an element with fit(width), which gives the height to draw.
function onWidth(node, draw) {
  let last = 0;
  const again = () => {
    const width = Math.floor(node.clientWidth),
      height = node.fit && width > 0 ? node.fit(width) : 0,
      size = width + 1e5 * height;
    if (width > 0 && size !== last) {
      last = size;
      draw(width, height);
    }
  };
  new ResizeObserver(again).observe(node);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    last = 0;
    again();
  });
  again();
}
