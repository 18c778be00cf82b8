// Small tools for making elements. Texts are always set as texts, never as HTML.

export const $ = (id) => document.getElementById(id);

// make returns an element with properties and children; strings become texts.
export function make(tag, props = {}, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "data") Object.assign(e.dataset, value);
    else if (name in e) e[name] = value;
    else e.setAttribute(name, value);
  }
  e.append(...children.flat().filter((c) => c !== null && c !== undefined));
  return e;
}

// text sets a text only when it is another one, so that selections survive.
export function text(e, s) {
  s = String(s);
  if (e.textContent !== s) e.textContent = s;
}

// list makes the children of parent those of items, in their order. It keeps the elements of items
// that stay, by their keys.
export function list(parent, items, key, create, update) {
  const before = new Map();
  for (const e of [...parent.children]) before.set(e.dataset.key, e);
  let at = parent.firstElementChild;
  for (const item of items) {
    const k = String(key(item));
    let e = before.get(k);
    if (e) before.delete(k);
    else {
      e = create(item);
      e.dataset.key = k;
    }
    if (e === at) at = at.nextElementSibling;
    else parent.insertBefore(e, at);
    if (update) update(e, item);
  }
  for (const e of before.values()) e.remove();
}

// number writes 12345 as 12.3k.
export function number(v) {
  if (v < 10 && v % 1 !== 0) return v.toFixed(1);
  if (v < 1000) return String(Math.round(v));
  const units = ["", "k", "M", "G", "T"];
  let u = 0;
  while (v >= 999.5 && u < units.length - 1) { v /= 1000; u++; }
  return (v < 10 ? v.toFixed(2) : v < 100 ? v.toFixed(1) : v.toFixed(0)) + units[u];
}

// bytes writes 5242880 as 5.0 MiB.
export function bytes(v) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let u = 0;
  while (v >= 1024 && u < units.length - 1) { v /= 1024; u++; }
  return (u === 0 ? v : v < 100 ? v.toFixed(1) : v.toFixed(0)) + " " + units[u];
}

// duration writes milliseconds as 1 min 5 s.
export function duration(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return s + " s";
  if (s < 3600) return Math.floor(s / 60) + " min " + (s % 60) + " s";
  return Math.floor(s / 3600) + " h " + Math.floor((s % 3600) / 60) + " min";
}

export function clock(ms) {
  return new Date(ms).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
}

// keyName writes an index key of 32 hexadecimal digits: as a text where keys are texts.
export function keyName(hex, range) {
  const trimmed = hex.replace(/(00)+$/, "");
  if (trimmed === "") return range ? "start" : "0x00";
  if (range) {
    let s = "";
    for (let i = 0; i < trimmed.length; i += 2) {
      const c = parseInt(trimmed.slice(i, i + 2), 16);
      if (c < 0x20 || c > 0x7e) return "0x" + trimmed;
      s += String.fromCharCode(c);
    }
    return "“" + s + "”";
  }
  return "0x" + trimmed;
}
