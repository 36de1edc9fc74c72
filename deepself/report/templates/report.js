"use strict";

// Sorting: a header's button sorts its table's rows by that column, and says so to all readers.
for (const button of document.querySelectorAll("table.sortable thead button")) {
  button.addEventListener("click", () => {
    const header = button.closest("th");
    const table = header.closest("table");
    const column = header.cellIndex;
    const text = header.classList.contains("text");
    const before = header.getAttribute("aria-sort");
    const falling = before === "none" ? !text : before === "ascending";
    for (const other of table.tHead.rows[0].cells) {
      if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
    }
    header.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
    const compare = (a, b) =>
      text ? key(a).localeCompare(key(b), undefined, { numeric: true }) : parseFloat(key(a)) - parseFloat(key(b));
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => (falling ? -compare(a, b) : compare(a, b)));
    table.tBodies[0].append(...rows);
  });
}

// Figures: drawn when they come near the screen, in the colours of the page as it is now.
const figures = JSON.parse(document.getElementById("figures").textContent);
const drawn = new Set();

function coloured(value, style) {
  if (typeof value === "string") {
    return /^\$[a-z]+$/.test(value) ? style.getPropertyValue("--" + value.slice(1)).trim() : value;
  }
  if (Array.isArray(value)) return value.map((entry) => coloured(entry, style));
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, coloured(entry, style)]));
  }
  return value;
}

function axis(own) {
  return { gridcolor: "$rule", zerolinecolor: "$rule", linecolor: "$rule", fixedrange: true, ...own,
    title: { standoff: 8, ...own?.title } };
}

function draw(element) {
  const { data, layout } = figures[element.dataset.figure];
  const style = getComputedStyle(document.documentElement);
  const base = {
    font: { family: style.fontFamily, size: 12, color: "$muted" },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 56, r: 12, t: 28, b: 44 },
    hoverlabel: { bgcolor: "$raised", bordercolor: "$rule", font: { color: "$ink" } },
    legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom" },
    showlegend: data.length > 1 && data.every((trace) => trace.name),
    autosize: true,
    ...layout,
    xaxis: axis(layout.xaxis),
    yaxis: axis(layout.yaxis),
    // Figures of several plots, one above the other, have more axes.
    ...Object.fromEntries(Object.entries(layout).filter(([key]) => /^[xy]axis\d/.test(key))
      .map(([key, own]) => [key, axis(own)])),
  };
  drawn.add(element);
  return Plotly.react(element, coloured(data, style), coloured(base, style), {
    responsive: true,
    displayModeBar: false,
  });
}

const near = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) {
      near.unobserve(target);
      draw(target);
    }
  }
}, { rootMargin: "600px" });
const places = [...document.querySelectorAll("[data-figure]")];
places.forEach((element) => near.observe(element));

const redraw = () => drawn.forEach(draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

// Paper is light and shows all: figures far below, and what is folded away.
addEventListener("beforeprint", () => {
  document.documentElement.classList.add("printing");
  document.querySelectorAll("details:not([open])").forEach((details) => {
    details.open = true;
    details.dataset.folded = "";
  });
  places.forEach((element) => { near.unobserve(element); draw(element); });
});
addEventListener("afterprint", () => {
  document.documentElement.classList.remove("printing");
  document.querySelectorAll("details[data-folded]").forEach((details) => {
    details.open = false;
    delete details.dataset.folded;
  });
  redraw();
});
