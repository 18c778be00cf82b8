// Colours that people with any colour vision tell apart: viridis for amounts, Okabe and Ito's for nodes.

const viridis = [
  [68, 1, 84], [72, 35, 116], [64, 67, 135], [52, 94, 141], [41, 120, 142], [32, 144, 140], [34, 167, 132],
  [68, 190, 112], [121, 209, 81], [189, 222, 38], [253, 231, 37],
];

export const dark = () => document.documentElement.dataset.theme !== "light";

// heat returns the colour of a share of the most, 0 to 1. More stands out more from the page in both themes.
export function heat(share) {
  const at = Math.min(1, Math.max(0, dark() ? share : 1 - share)) * (viridis.length - 1);
  const i = Math.min(viridis.length - 2, Math.floor(at)), f = at - i;
  const c = viridis[i].map((v, k) => Math.round(v + (viridis[i + 1][k] - v) * f));
  return `rgb(${c[0]} ${c[1]} ${c[2]})`;
}

// none is the colour of no requests at all.
export const none = () => (dark() ? "#1a2530" : "#e4e9ed");

// share brings requests a second to the scale: its root, so that what is small is still seen.
export const share = (v, most) => (most > 0 ? Math.sqrt(v / most) : 0);

const nodes = ["#56b4e9", "#e69f00", "#2bbf94", "#f0e442", "#cc79a7", "#d5703c", "#7d8ff0", "#a3b1bb"];

// nodeColour returns the colour of the node with a place in the list of nodes.
export const nodeColour = (i) => nodes[((i % nodes.length) + nodes.length) % nodes.length];
