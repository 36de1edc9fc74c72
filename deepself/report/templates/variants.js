"use strict";

// Figures with variants: a form's control, called `variant`, says which one is drawn.
for (const form of document.querySelectorAll("form[data-variants]")) {
  const key = form.dataset.variants;
  const element = document.querySelector(`[data-figure="${key}"]`);
  const label = element.getAttribute("aria-label");
  const show = () => {
    const control = form.elements.variant;
    figures[key].data = figures[key].variants[control.value];
    element.setAttribute("aria-label", `${control.selectedOptions[0].text}: ${label}`);
    if (drawn.has(element)) draw(element);
  };
  form.addEventListener("change", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  show(); // a browser may have kept what was chosen before the page was loaded anew
}

// Filtering: a field hides the rows of its table that do not hold what is typed into it.
for (const field of document.querySelectorAll("input[data-filters]")) {
  const table = document.getElementById(field.dataset.filters);
  const said = document.getElementById(field.getAttribute("aria-describedby"));
  const filter = () => {
    const wanted = field.value.trim().toLowerCase().split(/\s+/);
    const rows = [...table.tBodies[0].rows];
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !wanted.every((word) => text.includes(word));
    }
    const shown = rows.filter((row) => !row.hidden).length;
    said.textContent = shown < rows.length ? `${shown} of ${rows.length} rows` : "";
  };
  field.addEventListener("input", filter);
  filter();
}
