// Tells what is on the GPU under the pointer, or under the cursor that the arrow keys move.
const map = document.getElementById("map");
const told = document.getElementById("told");
const cursor = document.getElementById("cursor");
const number = (name) => Number(map.dataset[name]);
const [tileWidth, tileHeight, tiles] = ["tileWidth", "tileHeight", "tiles"].map(number);
const [cell, gap, label, columns, rows] = ["cell", "gap", "label", "columns", "rows"].map(number);

let loading;
const load = () => (loading ??= read().then((nodes) => nodes.filter((node) => node.gpuSlots.length > 0)));
const within = document.getElementById("nodes-document"); // of a report, which has nobody to ask

async function read() {
  if (within) return JSON.parse(within.textContent);
  const answer = await fetch(map.dataset.nodes);
  const document = await answer.json();
  if (!answer.ok) throw new Error(document.message);
  return document;
}

const shown = (node) => Math.min(node.gpuSlots.length, columns * rows);

function at(nodes, event) {
  const svg = map.querySelector("svg");
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  const [column, row] = [Math.floor(point.x / tileWidth), Math.floor(point.y / tileHeight)];
  const node = nodes[row * tiles + column];
  if (column < 0 || column >= tiles || row < 0 || !node) return null;
  const [x, y] = [point.x - column * tileWidth - gap, point.y - row * tileHeight - label];
  const slot = Math.floor(y / cell) * columns + Math.floor(x / cell);
  const inside = x >= 0 && y >= 0 && x < columns * cell && slot < shown(node);
  return { node: row * tiles + column, slot: inside ? slot : null };
}

function text(node, slot) {
  const state = node.status + (node.unschedulable ? ", cordoned" : "");
  const used = `${node.used.gpu} of ${node.gpuSlots.length} GPUs in use`;
  const head = `\u2068${node.name}\u2069 (${state}${node.gpuProduct ? ", " + node.gpuProduct : ""}): ${used}`;
  if (slot === null) return head;
  const found = node.gpuSlots[slot];
  const pods = (found.occupants ?? []).map((pod) =>
    `\u2068${pod.namespace}/${pod.pod}\u2069` + (pod.portion < 1 ? ` ${+pod.portion.toFixed(2)}` : ""));
  const what = pods.length ? pods.join(", ") : "free";
  return `${head}. GPU ${slot}: ${what}` + (found.fragmented ? ` – fragmented: ${found.fragmentedReason}` : "");
}

function show(nodes, place) {
  if (!place) return;
  told.textContent = text(nodes[place.node], place.slot);
  cursor.setAttribute("visibility", place.slot === null ? "hidden" : "visible");
  if (place.slot === null) return;
  cursor.setAttribute("x", (place.node % tiles) * tileWidth + (place.slot % columns) * cell + gap / 2);
  cursor.setAttribute("y", Math.floor(place.node / tiles) * tileHeight + Math.floor(place.slot / columns) * cell + label - gap / 2);
}

let place = { node: 0, slot: 0 };
const fail = (error) => { told.textContent = error.message; };

function move(nodes, key) {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
  let { node, slot } = place;
  slot ??= 0;
  if (step) {
    slot += step;
    if (slot < 0 && node > 0) slot = shown(nodes[--node]) - 1;
    else if (slot >= shown(nodes[node]) && node + 1 < nodes.length) { node += 1; slot = 0; }
  } else if (key === "Home") { node = 0; slot = 0; }
  else if (key === "End") { node = nodes.length - 1; slot = shown(nodes[node]) - 1; }
  else node += key === "ArrowUp" ? -tiles : tiles;
  if (!nodes[node]) return;
  place = { node, slot: Math.min(Math.max(slot, 0), shown(nodes[node]) - 1) };
  show(nodes, place);
  cursor.scrollIntoView({ block: "nearest", inline: "nearest" });
}

const KEYS = new Set(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"]);
map.addEventListener("keydown", (event) => {
  if (!KEYS.has(event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  load().then((nodes) => move(nodes, event.key), fail);
});
map.addEventListener("focus", () => load().then((nodes) => nodes.length && show(nodes, place), fail));
map.addEventListener("pointermove", (event) => load().then((nodes) => show(nodes, at(nodes, event)), fail));
map.addEventListener("click", (event) => load().then((nodes) => { place = at(nodes, event) ?? place; }, fail));
map.addEventListener("dblclick", (event) => load().then((nodes) => {
  const found = at(nodes, event);
  if (!found || within) return;
  const target = new URL(map.dataset.page, location.href);
  target.searchParams.set("name", nodes[found.node].name);
  location.assign(target);
}, fail));
