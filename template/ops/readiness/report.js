// Hides the rows that are not asked for. Without it all are shown.
const form = document.getElementById("filters");
const rows = [...document.querySelectorAll(".row")];
const said = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
const gates = ["dev", "staging", "production"];

function asked(row, wanted) {
  const words = wanted.get("text").toLowerCase().split(/\s+/);
  const gate = wanted.get("gate");
  return (
    wanted.getAll("state").includes(row.dataset.state) &&
    // A gate asks for the rows of those before it, too.
    (!gate || gates.indexOf(row.dataset.gate) <= gates.indexOf(gate)) &&
    (!wanted.get("theme") || row.dataset.theme === wanted.get("theme")) &&
    words.every((word) => said.get(row).includes(word))
  );
}

function show() {
  const wanted = new FormData(form);
  for (const row of rows) row.hidden = !asked(row, wanted);
  for (const theme of document.querySelectorAll(".theme")) theme.hidden = !theme.querySelector(".row:not([hidden])");
  const count = rows.filter((row) => !row.hidden).length;
  document.getElementById("shown").textContent = count === rows.length ? `${count} rows` : `${count} of ${rows.length} rows`;
}

// A link to a row that is hidden shows all rows again: it would lead nowhere.
function follow() {
  const row = document.getElementById(location.hash.slice(1));
  if (row?.hidden) {
    form.reset();
    show();
    row.scrollIntoView();
  }
}

form.addEventListener("input", show);
form.addEventListener("reset", () => setTimeout(show));
form.addEventListener("submit", (event) => event.preventDefault());
addEventListener("hashchange", follow);
form.hidden = false;
show();
