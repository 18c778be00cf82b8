// Figures, nodes, plans, events and switches.
import { $, make, list, text, number, bytes, duration, clock, keyName } from "./dom.js";
import { nodeColour } from "./colour.js";

// figures are the cluster in a line.
export function figures(state, totals) {
  const alive = state.nodes.filter((n) => n.online && n.state !== "failed").length;
  const serving = state.subRanges.filter((r) => r.state === "serving").length;
  const dead = state.subRanges.filter((r) => r.state === "lost" || r.state === "unavailable").length;
  const last = totals[totals.length - 1] ?? { reads: 0, writes: 0 };
  const healthy = state.problems.length === 0 && !state.error;
  const items = [
    { key: "health", name: "Health", value: healthy ? "Good" : dead > 0 ? "Broken" : state.error ? "Unknown" : "Impaired",
      tone: healthy ? "good" : dead > 0 ? "bad" : "warn",
      note: healthy ? "all data served" : state.problems.length === 1 ? "1 problem" : `${state.problems.length} problems` },
    { key: "reads", name: "Reads", value: number(last.reads), note: "a second", line: totals.map((t) => t.reads) },
    { key: "writes", name: "Writes", value: number(last.writes), note: "a second", line: totals.map((t) => t.writes) },
    { key: "nodes", name: "Nodes", value: `${alive} of ${state.nodes.length}`, tone: alive < state.nodes.length ? "warn" : "",
      note: "online" },
    { key: "ranges", name: "Sub-ranges", value: `${serving} of ${state.subRanges.length}`,
      tone: dead > 0 ? "bad" : serving < state.subRanges.length ? "warn" : "", note: "at full strength" },
    { key: "plans", name: "Plans", value: String(state.plans.length), note: state.plans.length === 0 ? "nothing changes" : "in progress" },
  ];
  list($("figures"), items, (i) => i.key,
    (i) => make("div", { className: "figure", role: "group", "aria-label": i.name },
      make("span", { className: "name" }, i.name), make("span", { className: "value" }),
      i.line ? make("canvas", { role: "img", "aria-label": i.name + " a second over the last 5 minutes" })
        : make("span", { className: "note" })),
    (e, i) => {
      e.dataset.tone = i.tone ?? "";
      text(e.querySelector(".value"), i.line ? i.value + "/s" : i.value);
      if (i.line) spark(e.querySelector("canvas"), i.line, i.key === "reads" ? "--bar" : "--bar-2");
      else text(e.querySelector(".note"), i.note);
    });
}

function spark(canvas, line, variable) {
  const ratio = window.devicePixelRatio || 1;
  const w = (canvas.width = Math.max(1, Math.round(canvas.clientWidth * ratio)));
  const h = (canvas.height = Math.max(1, Math.round(canvas.clientHeight * ratio)));
  const c = canvas.getContext("2d");
  const most = Math.max(1, ...line);
  const x = (i) => w - ((line.length - 1 - i) / 299) * w;
  const y = (v) => h - 2 * ratio - (v / most) * (h - 4 * ratio);
  c.strokeStyle = c.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(variable);
  c.lineWidth = 1.5 * ratio;
  c.beginPath();
  line.forEach((v, i) => (i ? c.lineTo(x(i), y(v)) : c.moveTo(x(i), y(v))));
  c.stroke();
  if (line.length > 1) {
    c.globalAlpha = 0.18;
    c.lineTo(w, h);
    c.lineTo(x(0), h);
    c.fill();
  }
}

export function problems(state) {
  $("problems").hidden = state.problems.length === 0;
  list($("problem-list"), state.problems, (p) => p, (p) => make("li", {}, p));
}

const tones = { alive: "good", suspected: "warn", failed: "bad", draining: "warn", drained: "" };
const shownRoles = 72;

// memberships returns for every node the sub-ranges that it is part of.
function memberships(state) {
  const names = new Map(state.keyspaces.map((k) => [k.id, k]));
  const by = new Map(state.nodes.map((n) => [n.node, []]));
  for (const r of state.subRanges) {
    const k = names.get(r.keyspace);
    const about = `sub-range ${r.id} of ${k?.name ?? r.keyspace} from ${keyName(r.first, k?.partitioner === "range")}: ` +
      `${r.chain.join(" > ")}, ${r.state}`;
    r.chain.forEach((node, i) => {
      const role = r.chain.length === 1 ? "S" : i === 0 ? "H" : i === r.chain.length - 1 ? "T" : "M";
      by.get(node)?.push({ id: r.id, role, about, bad: r.state === "lost" || r.state === "unavailable" });
    });
    if (r.learner) by.get(r.learner)?.push({ id: r.id, role: "L", about: about + ", joining here", bad: false });
  }
  return by;
}

function meter(name) {
  return make("div", { className: "meter", data: { meter: name } }, make("span", { className: "label" }, name),
    make("div", { className: "track", "aria-hidden": "true" }, make("div", { className: "fill" })),
    make("span", { className: "number" }));
}

function createNode(n) {
  if (n.rack) return make("li", { className: "rack" }, make("h3", {}, "Rack " + n.rack));
  const e = make("li", { className: "node" },
    make("div", { className: "node-head" }, make("h3", {}, n.node), make("span", { className: "chip" })),
    meter("load"), meter("requests"), meter("stored"),
    make("div", { className: "roles", role: "list" }), make("p", { className: "facts" }));
  const mark = make("div", { className: "mark", title: "the average of all nodes" });
  mark.style.left = "50%";
  e.querySelector('[data-meter="load"] .track').append(mark);
  e.querySelector('[data-meter="requests"] .track').append(make("div", { className: "fill second" }));
  return e;
}

// byRack returns the nodes, with their places in the list of all. Where there are several racks, each
// has a heading before its nodes.
function byRack(state) {
  const all = state.nodes.map((n, i) => ({ ...n, i }));
  if (state.switches.filter((s) => s.level === 0).length < 2) return all;
  const racks = Map.groupBy(all, (n) => n.switch || "unknown");
  const names = [...racks.keys()].sort((a, b) => a.localeCompare(b, undefined, { numeric: true }));
  return names.flatMap((rack) => [{ rack }, ...racks.get(rack)]);
}

export function nodes(state) {
  const by = memberships(state);
  const busiest = Math.max(1, ...state.nodes.map((n) => n.reads + n.writes));
  const fullest = Math.max(1, ...state.nodes.map((n) => n.bytes));
  list($("nodes"), byRack(state), (n) => n.rack ?? n.node, createNode, (e, n) => {
    if (n.rack) return;
    const name = n.online || n.state === "failed" ? n.state || "online" : (n.state ? n.state + ", " : "") + "away";
    e.style.setProperty("--node", nodeColour(n.i));
    const chip = e.querySelector(".chip");
    text(chip, name);
    chip.dataset.tone = e.dataset.tone = n.online ? tones[n.state] ?? "good" : "bad";
    setMeter(e, "load", n.load / 2, n.load.toFixed(2) + " × avg");
    const first = setMeter(e, "requests", n.reads / busiest, number(n.reads + n.writes) + "/s");
    const second = e.querySelector(".fill.second");
    second.style.left = 100 * first + "%";
    second.style.width = (100 * n.writes) / busiest + "%";
    setMeter(e, "stored", n.bytes / fullest, bytes(n.bytes));
    roles(e.querySelector(".roles"), by.get(n.node));
    text(e.querySelector(".facts"), `${n.replicas} replica${n.replicas === 1 ? "" : "s"}: ${n.heads} head, ${n.tails} tail` +
      (n.joining ? `, ${n.joining} joining` : "") + ` · ${n.cpu.toFixed(2)} cores · ${n.disk ? "disk" : "memory"} · ` +
      `port ${n.port}` + (n.switch ? ` of ${n.switch}` : ""));
  });
}

function setMeter(e, name, share, label) {
  const m = e.querySelector(`[data-meter="${name}"]`);
  const s = Math.min(1, Math.max(0, share));
  m.querySelector(".fill").style.width = 100 * s + "%";
  text(m.querySelector(".number"), label);
  return s;
}

function roles(parent, all) {
  const shown = all.slice(0, shownRoles);
  if (all.length > shown.length) shown.push({ id: "more", rest: all.length - shown.length });
  list(parent, shown, (r) => r.id, (r) => make("span", { className: r.rest ? "more" : "role", role: "listitem" }),
    (e, r) => {
      if (r.rest) { text(e, `and ${r.rest} more`); return; }
      text(e, r.role);
      e.dataset.role = r.role;
      e.dataset.bad = r.bad;
      if (e.title !== r.about) { e.title = r.about; e.setAttribute("aria-label", r.role + ", " + r.about); }
    });
}

function planTitle(p) {
  switch (p.kind) {
    case "split": return `Split of sub-range ${p.subRange}` + (p.other ? `, makes ${p.other}` : "");
    case "merge": return `Merge of sub-range ${p.subRange} with ${p.other}`;
    case "repair": return `Repair of sub-range ${p.subRange}` + (p.to ? `: ${p.to} joins` : "");
    case "move": return `Move of sub-range ${p.subRange}: ${p.from || "nobody"} → ${p.to || "to be chosen"}`;
    case "reorder": return `New order of sub-range ${p.subRange}`;
  }
  return `${p.kind} of sub-range ${p.subRange}`;
}

export function plans(state) {
  $("no-plans").hidden = state.plans.length > 0;
  list($("plans"), state.plans, (p) => p.id,
    (p) => make("li", { className: "plan" },
      make("div", { className: "plan-head" }, make("h3", {}, planTitle(p)), make("span", { className: "chip" })),
      make("progress", { max: 1, "aria-label": planTitle(p) }), make("p", { className: "why" })),
    (e, p) => {
      text(e.querySelector("h3"), planTitle(p));
      text(e.querySelector(".chip"), p.step || "begun");
      e.querySelector("progress").value = p.progress;
      text(e.querySelector(".why"), `${Math.round(100 * p.progress)} %` +
        (p.began ? `, for ${duration(state.at - p.began)}` : "") + (p.why ? ` · ${p.why}` : ""));
    });
}

const marks = { info: "•", warning: "▲", alarm: "■" };
const rank = { info: 0, warning: 1, alarm: 2 };
const shownEvents = 200;

export function events(all, least) {
  const shown = all.filter((e) => (rank[e.severity] ?? 0) >= rank[least]).slice(-shownEvents).reverse();
  $("no-events").hidden = shown.length > 0;
  list($("events"), shown, (e) => e.number, (e) => make("li", { className: "event", data: { severity: e.severity, kind: e.kind } },
    make("span", { className: "mark", role: "img", "aria-label": e.severity }, marks[e.severity] ?? "•"),
    make("time", { dateTime: new Date(e.at).toISOString() }, clock(e.at)), make("span", { className: "text" }, e.text)));
}

export function switches(state) {
  list($("switches"), state.switches, (s) => s.name + " " + s.target,
    (s) => make("li", { className: "switch" },
      make("div", { className: "node-head" },
        make("h3", {}, (s.name || s.target) + (s.level ? `, level ${s.level}` : "")), make("span", { className: "chip" })),
      make("dl"), make("p", { className: "hint" })),
    (e, s) => {
      const chip = e.querySelector(".chip");
      text(chip, s.state);
      chip.dataset.tone = s.state === "synced" ? "good" : s.state === "away" ? "bad" : "warn";
      const drops = Object.entries(s.drops ?? {}).sort((a, b) => b[1] - a[1]);
      const facts = [["entries", number(s.entries)], ["for partitions", number(s.partitions)],
        ["for sub-ranges", number(s.subRanges)], ["hosts", number(s.hosts)],
        ["updates", number(s.updates)], ["programs", number(s.pushes)],
        ["dropped", number(drops.reduce((sum, d) => sum + d[1], 0))]];
      list(e.querySelector("dl"), facts, (f) => f[0], (f) => make("div", {}, make("dt", {}, f[0]), make("dd")),
        (d, f) => text(d.querySelector("dd"), f[1]));
      text(e.querySelector(".hint"), s.error || (drops.length
        ? "Dropped: " + drops.map((d) => `${number(d[1])} ${d[0]}`).join(", ") : "P4Runtime at " + s.target));
    });
}
