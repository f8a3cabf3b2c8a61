// Makes the headings of the samplers' table sort it; without this script it is a plain table.
for (const table of document.querySelectorAll("table.sdnb-samplers:not([data-sortable])")) {
  table.dataset.sortable = "yes";
  const body = table.tBodies[0];
  const headings = [...table.tHead.rows[0].cells];
  const key = (row, index) => row.cells[index].dataset.value ?? row.cells[index].textContent;
  const compare = (a, b) => (isNaN(a - b) ? String(a).localeCompare(b) : a - b);
  headings.forEach((heading, index) => {
    const button = document.createElement("button");
    button.textContent = heading.textContent;
    button.style.cssText = "all:unset;cursor:pointer;text-decoration:underline dotted";
    button.addEventListener("focus", () => (button.style.outline = "2px solid"));
    button.addEventListener("blur", () => (button.style.outline = ""));
    button.addEventListener("keydown", event => event.stopPropagation());
    button.addEventListener("click", () => {
      const turn = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      headings.forEach(other => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", turn === 1 ? "ascending" : "descending");
      const rows = [...body.rows];
      rows.sort((a, b) => turn * compare(key(a, index), key(b, index)));
      body.append(...rows);
    });
    heading.replaceChildren(button);
  });
}
