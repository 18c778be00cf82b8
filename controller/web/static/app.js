// The page: takes the stream of the controller and shows it.
import { $, text, number } from "./dom.js";
import { History, Maps, paintScale } from "./heat.js";
import * as panels from "./panels.js";

const maxEvents = 500;
const history = new History();
const maps = new Maps($("spaces"), $("tip"), history);
let state = null, events = [], show = "both", connected = false;

function draw() {
  if (!state) return;
  const away = !connected ? "no connection to this page's server" : state.error;
  const live = $("live");
  live.dataset.state = away ? "away" : "live";
  text($("live-text"), away ? "controller away" : "live");
  live.title = away ?? "";
  text($("where"), state.known ? `${state.cluster.slice(0, 8)} · controller ${state.controller || "?"} · term ${state.term}`
    : "waiting for the controller");
  document.title = (state.problems.length ? `(${state.problems.length}) ` : "") + "TurboKV";
  panels.problems({ problems: [...(away ? ["This is not of now: " + away] : []), ...state.problems] });
  panels.figures(state, history.totals());
  maps.show(state, show);
  paintScale($("scale"));
  const minutes = history.span / 60000;
  text($("span"), minutes === 1 ? "minute" : minutes + " minutes");
  text($("scale-max"), number(maps.most));
  panels.nodes(state);
  panels.plans(state);
  panels.switches(state);
  document.body.dataset.ready = "true";
}

const drawEvents = () => panels.events(events, $("least").value);

function heard(e) {
  events.push(e);
  if (events.length > maxEvents) events = events.slice(-maxEvents);
}

function connect() {
  const stream = new EventSource("/api/stream");
  const on = (kind, f) => stream.addEventListener(kind, (m) => f(JSON.parse(m.data)));
  on("hello", (m) => { // everything anew, also after a break
    history.reset();
    m.samples.forEach((s) => history.add(s));
    events = m.events;
    drawEvents();
  });
  on("sample", (s) => history.add(s));
  on("event", (e) => {
    heard(e);
    drawEvents();
    if (e.severity === "alarm") text($("alarm"), "Alarm: " + e.text);
  });
  on("state", (s) => { state = s; connected = true; draw(); });
  stream.onerror = () => { // the browser connects again by itself
    connected = false;
    draw();
  };
}

function theme(name) {
  document.documentElement.dataset.theme = name;
  draw();
}

const wanted = window.matchMedia("(prefers-color-scheme: light)");
const stored = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
theme(stored() ?? (wanted.matches ? "light" : "dark"));
wanted.addEventListener("change", () => { if (!stored()) theme(wanted.matches ? "light" : "dark"); });
$("theme").addEventListener("click", () => {
  const name = document.documentElement.dataset.theme === "light" ? "dark" : "light";
  try { localStorage.setItem("theme", name); } catch { /* it lasts as long as the page */ }
  theme(name);
});
$("least").addEventListener("change", drawEvents);
for (const b of document.querySelectorAll("[data-show]")) {
  b.addEventListener("click", () => {
    show = b.dataset.show;
    for (const other of document.querySelectorAll("[data-show]")) other.setAttribute("aria-pressed", String(other === b));
    draw();
  });
}
let resizing = 0;
window.addEventListener("resize", () => { cancelAnimationFrame(resizing); resizing = requestAnimationFrame(draw); });
connect();
