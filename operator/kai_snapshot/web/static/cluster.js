// Tells what is on the GPU under the pointer, or under the cursor that the arrow keys move: for each map of the page.
const documents = new Map(); // by address, or by the id of the element that has it

function load(source) {
  if (!documents.has(source)) documents.set(source, read(source));
  return documents.get(source);
}

async function read(source) {
  if (source.startsWith("#")) return JSON.parse(document.getElementById(source.slice(1)).textContent); // of a report
  const answer = await fetch(source);
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.message);
  return found;
}

const name = (pod) => `\u2068${pod.namespace}/${pod.pod}\u2069`;
const known = (pod) => name(pod) + (pod.portion < 1 ? ` ${+pod.portion.toFixed(2)}` : "") + (pod.leaving ? " (leaving)" : "");
const all = (pods) => (pods?.length ? pods.map(known).join(", ") : "free");

function told(slot) {
  if (!slot.after) return all(slot.occupants) + (slot.fragmented ? ` – fragmented: ${slot.fragmentedReason}` : "");
  const words = { Evicted: "evicted", Moved: "moved", Bound: "bound", Pipelined: "pipelined" };
  const fates = [...(slot.occupants ?? []), ...slot.after.filter((pod) => pod.decision)]
    .filter((pod) => pod.decision).map((pod) => `${name(pod)} is ${words[pod.decision]}`);
  return `before ${all(slot.occupants)}; after ${all(slot.after)}. ${[...new Set(fates)].join(", ")}`;
}

function text(node, number) {
  const state = node.status + (node.unschedulable ? ", cordoned" : "");
  const used = `${node.used.gpu} of ${node.gpuSlots.length} GPUs in use`;
  const head = `\u2068${node.name}\u2069 (${state}${node.gpuProduct ? ", " + node.gpuProduct : ""}): ${used}`;
  return number === null ? head : `${head}. GPU ${number}: ${told(node.gpuSlots[number])}`;
}

function follow(map) {
  const output = map.nextElementSibling;
  const cursor = map.querySelector(".cursor");
  const [tileWidth, tileHeight, tiles, cell, gap, label, columns, rows] =
    ["tileWidth", "tileHeight", "tiles", "cell", "gap", "label", "columns", "rows"].map((each) => Number(map.dataset[each]));
  let place = { node: 0, slot: 0 };

  const shown = (node) => Math.min(node.gpuSlots.length, columns * rows);
  const tiled = (node) => node.gpuSlots.length > 0 && (!map.dataset.only || node.gpuSlots.some((slot) => slot.after));
  const nodes = () => load(map.dataset.nodes).then((found) => found.filter(tiled));
  const fail = (error) => { output.textContent = error.message; };

  function at(found, event) {
    const svg = map.querySelector("svg");
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    const [column, row] = [Math.floor(point.x / tileWidth), Math.floor(point.y / tileHeight)];
    const node = found[row * tiles + column];
    if (column < 0 || column >= tiles || row < 0 || !node) return null;
    const [x, y] = [point.x - column * tileWidth - gap, point.y - row * tileHeight - label];
    const slot = Math.floor(y / cell) * columns + Math.floor(x / cell);
    const inside = x >= 0 && y >= 0 && x < columns * cell && slot < shown(node);
    return { node: row * tiles + column, slot: inside ? slot : null };
  }

  function show(found, there) {
    if (!there) return;
    output.textContent = text(found[there.node], there.slot);
    cursor.setAttribute("visibility", there.slot === null ? "hidden" : "visible");
    if (there.slot === null) return;
    cursor.setAttribute("x", (there.node % tiles) * tileWidth + (there.slot % columns) * cell + gap / 2);
    cursor.setAttribute("y", Math.floor(there.node / tiles) * tileHeight + Math.floor(there.slot / columns) * cell + label - gap / 2);
  }

  function move(found, key) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
    let { node, slot } = place;
    slot ??= 0;
    if (step) {
      slot += step;
      if (slot < 0 && node > 0) slot = shown(found[--node]) - 1;
      else if (slot >= shown(found[node]) && node + 1 < found.length) { node += 1; slot = 0; }
    } else if (key === "Home") { node = 0; slot = 0; }
    else if (key === "End") { node = found.length - 1; slot = shown(found[node]) - 1; }
    else node += key === "ArrowUp" ? -tiles : tiles;
    if (!found[node]) return;
    place = { node, slot: Math.min(Math.max(slot, 0), shown(found[node]) - 1) };
    show(found, place);
    cursor.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  const KEYS = new Set(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"]);
  map.addEventListener("keydown", (event) => {
    if (!KEYS.has(event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    nodes().then((found) => found.length && move(found, event.key), fail);
  });
  if (map.dataset.live) nodes().catch(fail); // in some seconds the scheduler is asked anew, and this is gone
  map.addEventListener("focus", () => nodes().then((found) => found.length && show(found, place), fail));
  map.addEventListener("pointermove", (event) => nodes().then((found) => show(found, at(found, event)), fail));
  map.addEventListener("click", (event) => nodes().then((found) => { place = at(found, event) ?? place; }, fail));
  map.addEventListener("dblclick", (event) => nodes().then((found) => {
    const there = at(found, event);
    if (!there || !map.dataset.page) return;
    const target = new URL(map.dataset.page, location.href);
    target.searchParams.set("name", found[there.node].name);
    location.assign(target);
  }, fail));
}

document.querySelectorAll(".map").forEach(follow);
