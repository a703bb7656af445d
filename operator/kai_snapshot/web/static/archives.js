// Has the summaries of a capture's archives computed, one after the other, and draws what they say.
const [WIDTH, HEIGHT] = [1000, 60];
const values = (summary) => ({
  allocatedGPUs: summary.allocatedGPUs,
  fragmentedGPUs: summary.fragmentedGPUs,
  pending: summary.jobCounts.Pending ?? 0,
});

function draw(figure, points) {
  const times = points.map(([time]) => time);
  const [begin, end] = [Math.min(...times), Math.max(...times)];
  const most = Math.max(...points.map(([, value]) => value));
  const steps = points.map(([time, value]) =>
    `${(WIDTH * (time - begin) / (end - begin || 1)).toFixed(1)} ${(HEIGHT * (1 - value / (most || 1))).toFixed(1)}`);
  figure.querySelector("path").setAttribute("d", "M" + steps.join("L"));
  const text = (value) => value.toLocaleString("en", { maximumFractionDigits: 2 });
  figure.querySelector("span").textContent =
    `${text(points[0][1])} → ${text(points[points.length - 1][1])}, at most ${text(most)}`;
}

async function compute(section, button) {
  const [rows, told] = [[...section.querySelectorAll("tbody tr")], section.querySelector("output")];
  const points = {};
  button.disabled = true;
  section.querySelectorAll(".computed").forEach((each) => { each.hidden = false; });
  for (const [done, row] of rows.entries()) {
    const answer = await fetch(row.dataset.summary);
    const document = await answer.json();
    if (!answer.ok) {
      row.querySelector("[data-value]").textContent = document.reason;
      continue;
    }
    for (const [name, value] of Object.entries(values(document))) {
      row.querySelector(`[data-value=${name}]`).textContent = value.toLocaleString("en", { maximumFractionDigits: 2 });
      (points[name] ??= []).unshift([Number(row.dataset.time), value]);
      draw(section.querySelector(`[data-series=${name}]`), points[name]);
    }
    if (done % 10 === 9) told.textContent = `${done + 1} of ${rows.length}`;
  }
  told.textContent = `All ${rows.length} are computed.`;
}

for (const button of document.querySelectorAll("button.compute")) {
  const section = button.closest("section");
  button.hidden = false;
  button.addEventListener("click", () => compute(section, button).catch((error) => {
    section.querySelector("output").textContent = error.message;
    button.disabled = false;
  }));
}
