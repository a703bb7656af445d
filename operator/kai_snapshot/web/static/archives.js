// Has the summaries of all archives computed one after the other, telling how far it is, and then shows the page with them.
async function compute(form) {
  const rows = [...document.querySelectorAll("[data-summary]")];
  for (const [done, row] of rows.entries()) {
    form.querySelector("output").textContent = `${done} of ${rows.length}`;
    await (await fetch(row.dataset.summary)).arrayBuffer();
  }
}

for (const form of document.querySelectorAll("form.compute")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    form.querySelector("button").disabled = true;
    compute(form).finally(() => form.submit());
  });
}
