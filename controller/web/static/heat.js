// The key space over time: one map per keyspace.
import { make, list, text, number, clock, keyName } from "./dom.js";
import { heat, none, share, nodeColour } from "./colour.js";

const minute = 60 * 1000;
const keepMs = 5 * minute; // as long as the controller remembers
const slotMs = 1000; // a sample counts for that long, unless there is a newer one
const maxGapMs = 3500;

// History keeps samples and makes the cuts of each explicit.
export class History {
  constructor() { this.samples = []; this.first = new Map(); }

  reset() { this.samples = []; this.first.clear(); }

  add(sample) {
    const by = new Map();
    const still = new Map();
    for (const k of sample.keyspaces) {
      const first = k.first || this.first.get(k.keyspace) || [];
      still.set(k.keyspace, first);
      by.set(k.keyspace, { first, reads: k.reads, writes: k.writes });
    }
    this.first = still;
    this.samples.push({ at: sample.at, by });
    const oldest = sample.at - keepMs - 5000;
    while (this.samples.length > 0 && this.samples[0].at < oldest) this.samples.shift();
  }

  get now() { return this.samples.length ? this.samples[this.samples.length - 1].at : 0; }

  // span is how much time is shown: what is known, in steps.
  get span() {
    const known = this.samples.length ? this.now - this.samples[0].at : 0;
    return [minute, 2 * minute, keepMs].find((s) => known <= s) ?? keepMs;
  }

  // most is the largest load of a sub-range that is shown, rounded up to a nice number.
  most(value, ids) {
    let most = 0;
    for (const s of this.samples) for (const [id, k] of s.by) {
      if (!ids.has(id)) continue;
      for (let i = 0; i < k.reads.length; i++) most = Math.max(most, value(k, i));
    }
    if (most <= 1) return 1;
    const ten = 10 ** Math.floor(Math.log10(most));
    return [1, 2, 5, 10].map((n) => n * ten).find((n) => n >= most);
  }

  // quiet reports whether nobody has asked for anything of a keyspace.
  quiet(id) {
    return !this.samples.some((s) => {
      const k = s.by.get(id);
      return k && (k.reads.some((v) => v >= 0.5) || k.writes.some((v) => v >= 0.5));
    });
  }

  // totals returns reads and writes of all sub-ranges, sample by sample.
  totals() {
    return this.samples.map((s) => {
      let reads = 0, writes = 0;
      for (const k of s.by.values()) {
        for (const v of k.reads) reads += v;
        for (const v of k.writes) writes += v;
      }
      return { at: s.at, reads, writes };
    });
  }
}

export const values = {
  both: (k, i) => k.reads[i] + k.writes[i],
  reads: (k, i) => k.reads[i],
  writes: (k, i) => k.writes[i],
};

// columns are the pieces between all cuts of the samples: what was ever cut has a column of its own, so a
// split shows however few keys lie between.
function columns(samples, id) {
  const all = new Set();
  for (const s of samples) for (const first of s.by.get(id)?.first ?? []) all.add(first);
  const first = [...all].sort();
  return { first, at: new Map(first.map((f, i) => [f, i])) };
}

function sized(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const w = Math.max(1, Math.round(canvas.clientWidth * ratio));
  const h = Math.max(1, Math.round(canvas.clientHeight * ratio));
  if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; }
  const c = canvas.getContext("2d");
  c.clearRect(0, 0, w, h);
  return { c, w, h, ratio };
}

function paintMap(canvas, history, id, value, most) {
  const { c, w, h, ratio } = sized(canvas);
  const cols = columns(history.samples, id);
  const n = cols.first.length;
  if (n === 0) return cols;
  const now = history.now;
  const x = (i) => Math.round((i * w) / n);
  const y = (at) => ((now - at) / history.span) * h;
  const gap = n * 5 > w ? 0 : Math.max(1, Math.round(ratio));
  for (let s = 0; s < history.samples.length; s++) {
    const sample = history.samples[s], k = sample.by.get(id);
    if (!k) continue;
    const next = history.samples[s + 1];
    const until = next ? Math.min(next.at, sample.at + maxGapMs) : sample.at + slotMs;
    const top = Math.max(0, Math.floor(y(until))), bottom = Math.min(h, Math.ceil(y(sample.at)));
    for (let i = 0; i < k.first.length; i++) {
      const from = x(cols.at.get(k.first[i]));
      const to = i + 1 < k.first.length ? x(cols.at.get(k.first[i + 1])) : w;
      const v = value(k, i);
      c.fillStyle = v > 0 ? heat(share(v, most)) : none();
      c.fillRect(from, top, Math.max(1, to - from - (i + 1 < k.first.length ? gap : 0)), Math.max(1, bottom - top));
    }
  }
  return cols;
}

// paintChains draws the members of every chain under its column, from head to tail, in the colours of nodes.
function paintChains(canvas, ranges, cols, place) {
  const { c, w, h, ratio } = sized(canvas);
  const n = cols.first.length;
  const deepest = Math.max(1, ...ranges.map((r) => r.chain.length + (r.learner ? 1 : 0)));
  const x = (i) => Math.round((i * w) / n);
  for (let i = 0; i < ranges.length; i++) {
    const r = ranges[i];
    if (!cols.at.has(r.first)) continue;
    const from = x(cols.at.get(r.first));
    const to = i + 1 < ranges.length && cols.at.has(ranges[i + 1].first) ? x(cols.at.get(ranges[i + 1].first)) : w;
    const width = Math.max(1, to - from - (to - from > 4 ? Math.max(1, ratio) : 0));
    const members = [...r.chain, ...(r.learner ? [r.learner] : [])];
    members.forEach((node, k) => {
      const top = Math.round((k * h) / deepest), height = Math.round(((k + 1) * h) / deepest) - top - 1;
      c.fillStyle = nodeColour(place.get(node) ?? 7);
      if (k >= r.chain.length) {
        c.strokeStyle = c.fillStyle;
        c.lineWidth = ratio;
        c.setLineDash([3 * ratio, 2 * ratio]);
        c.strokeRect(from + 1, top + 1, Math.max(1, width - 2), Math.max(1, height - 2));
        c.setLineDash([]);
      } else c.fillRect(from, top, width, height);
      const label = node.split(".").pop();
      c.font = `600 ${11 * ratio}px system-ui, sans-serif`;
      if (width > c.measureText(label).width + 4 * ratio && height > 10 * ratio) {
        c.fillStyle = k >= r.chain.length ? c.strokeStyle : "#0b1015";
        c.textAlign = "center";
        c.textBaseline = "middle";
        c.fillText(label, from + width / 2, top + height / 2 + ratio / 2);
      }
    });
  }
}

// paintScale draws the legend.
export function paintScale(canvas) {
  const { c, w, h } = sized(canvas);
  for (let i = 0; i < w; i++) {
    c.fillStyle = heat(Math.sqrt(i / w));
    c.fillRect(i, 0, 1, h);
  }
}

function createKeyspace(k) {
  const head = make("div", { className: "keyspace-head" },
    make("h3", {}, k.name), make("span", { className: "facts" }));
  const times = make("div", { className: "times", "aria-hidden": "true" });
  const map = make("div", { className: "map" }, times,
    make("canvas", { className: "heat", role: "img" }),
    make("span", { className: "lane", title: "members of the chains, from head to tail" }, "chain"),
    make("canvas", { className: "chains", role: "img" }),
    make("div", { className: "keys", "aria-hidden": "true" }));
  const rows = make("tbody");
  const names = ["sub-range", "first key", "chain", "state", "reads/s", "writes/s", "epoch"];
  const table = make("details", { className: "table" }, make("summary", {}, "As a table"),
    make("div", { className: "scroll", tabIndex: 0 }, make("table", {},
      make("caption", { className: "unseen" }, "Sub-ranges of " + k.name),
      make("thead", {}, make("tr", {}, names.map((n) => make("th", { scope: "col" }, n)))), rows)));
  return make("section", { className: "keyspace", "aria-label": "Keyspace " + k.name },
    head, map, table);
}

function updateTable(body, ranges, keyspace) {
  list(body, ranges, (r) => r.id,
    () => make("tr", {}, Array.from({ length: 7 }, () => make("td"))),
    (row, r) => {
      const cells = [r.id, keyName(r.first, keyspace.partitioner === "range"),
        r.chain.join(" > ") + (r.learner ? " + " + r.learner : ""), r.state, number(r.reads), number(r.writes), r.epoch];
      cells.forEach((s, i) => text(row.children[i], s));
    });
}

// updateTimes labels the axis of time.
function updateTimes(parent, span, quiet) {
  const steps = quiet ? [0, 1] : span === minute ? [0, 0.25, 0.5, 0.75, 1] : span === 2 * minute ? [0, 0.5, 1]
    : [0, 0.2, 0.4, 0.6, 0.8, 1];
  const label = (ms) => (ms === 0 ? "now" : ms % minute ? ms / 1000 + " s" : ms / minute + " min");
  list(parent, steps.map((s) => ({ at: s, label: label(s * span) })), (m) => m.at + m.label, (m) => {
    const mark = make("span", {}, m.label);
    mark.style.top = 100 * m.at + "%";
    return mark;
  });
}

// Maps shows all keyspaces.
export class Maps {
  constructor(parent, tip, history) {
    this.parent = parent;
    this.tip = tip;
    this.history = history;
    this.columns = new Map();
    for (const kind of ["pointermove", "pointerdown"]) parent.addEventListener(kind, (e) => this.point(e));
    parent.addEventListener("pointerleave", () => { tip.hidden = true; });
  }

  show(state, kind) {
    this.state = state;
    this.value = values[kind];
    const quiet = new Map(state.keyspaces.map((k) => [k.id, k.system ? 2 : this.history.quiet(k.id) ? 1 : 0]));
    const keyspaces = [...state.keyspaces].sort((a, b) => quiet.get(a.id) - quiet.get(b.id) || a.id - b.id);
    this.quiet = quiet;
    const busy = new Set(keyspaces.filter((k) => !k.system).map((k) => k.id));
    this.most = this.history.most(this.value, busy.size ? busy : new Set(keyspaces.map((k) => k.id)));
    const place = new Map(state.nodes.map((n, i) => [n.node, i]));
    list(this.parent, keyspaces, (k) => k.id + " " + k.name, createKeyspace, (e, k) => this.update(e, k, place));
  }

  update(e, k, place) {
    const ranges = this.state.subRanges.filter((r) => r.keyspace === k.id)
      .sort((a, b) => (a.first < b.first ? -1 : 1));
    const reads = ranges.reduce((sum, r) => sum + r.reads, 0), writes = ranges.reduce((sum, r) => sum + r.writes, 0);
    text(e.querySelector(".facts"), `${k.partitioner}, ${k.durability}, ${k.replication} replicas, ` +
      `${ranges.length} sub-range${ranges.length === 1 ? "" : "s"}` + (k.phase === "ready" ? "" : `, ${k.phase}`) +
      ` · ${number(reads)} reads/s, ${number(writes)} writes/s`);
    e.dataset.quiet = this.quiet.get(k.id) > 0;
    updateTimes(e.querySelector(".times"), this.history.span, this.quiet.get(k.id) > 0);
    const canvas = e.querySelector(".heat");
    const cols = paintMap(canvas, this.history, k.id, this.value, this.most);
    this.columns.set(canvas, { cols, keyspace: k, ranges });
    const hottest = ranges.reduce((a, r) => (a && a.reads + a.writes >= r.reads + r.writes ? a : r), null);
    canvas.setAttribute("aria-label", `Heat map of keyspace ${k.name}: ${number(reads)} reads and ${number(writes)} ` +
      `writes a second in ${ranges.length} sub-ranges` + (hottest && hottest.reads + hottest.writes > 0
        ? `; most in sub-range ${hottest.id}, ${number(hottest.reads + hottest.writes)} a second` : ""));
    const chains = e.querySelector(".chains");
    paintChains(chains, ranges, cols, place);
    this.columns.set(chains, { cols, keyspace: k, ranges });
    chains.setAttribute("aria-label", `Chains of keyspace ${k.name}; the table below lists them`);
    const keys = e.querySelector(".keys");
    const marks = cols.first.length > 2 ? [0, cols.first.length >> 1] : [0];
    list(keys, [...marks.map((i) => cols.first[i] ?? ""), "end"].map((f, i) => ({ f, i })), (m) => m.i,
      () => make("span"), (s, m) => text(s, m.f === "end" ? "end" : keyName(m.f, k.partitioner === "range")));
    if (e.querySelector("details").open || e.querySelector("tbody").children.length === 0) {
      updateTable(e.querySelector("tbody"), ranges, k);
    }
  }

  // point tells of the place under the pointer.
  point(event) {
    const canvas = event.target, at = this.columns.get(canvas);
    if (!at || at.cols.first.length === 0) { this.tip.hidden = true; return; }
    const box = canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * at.cols.first.length);
    const key = at.cols.first[Math.min(at.cols.first.length - 1, Math.max(0, column))];
    const range = at.keyspace.partitioner === "range";
    let lines;
    if (canvas.classList.contains("chains")) {
      const r = at.ranges.filter((r) => r.first <= key).pop();
      if (!r) return;
      lines = [`sub-range ${r.id} from ${keyName(r.first, range)}`, r.chain.join(" > "),
        r.state + (r.why ? ": " + r.why : ""), r.learner ? "joining: " + r.learner : ""];
    } else {
      const time = this.history.now - ((event.clientY - box.top) / box.height) * this.history.span;
      const sample = this.history.samples.filter((s) => s.at <= time + slotMs).pop();
      const k = sample?.by.get(at.keyspace.id);
      if (!k) { this.tip.hidden = true; return; }
      const i = k.first.filter((f) => f <= key).length - 1;
      if (i < 0) return;
      lines = [clock(sample.at) + ", keys from " + keyName(k.first[i], range),
        `${number(k.reads[i])} reads/s, ${number(k.writes[i])} writes/s`, `${k.first.length} sub-ranges`];
    }
    text(this.tip, lines.filter((l) => l).join("\n"));
    this.tip.hidden = false;
    const right = event.clientX + 16 + this.tip.offsetWidth > window.innerWidth;
    this.tip.style.left = (right ? Math.max(4, event.clientX - 12 - this.tip.offsetWidth) : event.clientX + 16) + "px";
    this.tip.style.top = Math.min(event.clientY + 14, window.innerHeight - this.tip.offsetHeight - 6) + "px";
  }
}
