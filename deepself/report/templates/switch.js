// Figures of points that lie and are coloured in several ways: the controls of a form say how.
// A form names its figure; each control is called `place` or `colouring`.
function pointsOf({ names, places, colourings }, form) {
  const place = places[form.elements.place.value];
  const colouring = colourings[form.elements.colouring.value];
  const said = Object.values(colourings);
  const text = names.map((name, i) =>
    [`<b>${name}</b>`, ...said.map((one) => `${one.name}: ${one.values[one.of[i]]}`)].join("<br>"));
  const rows = colouring.values.map(() => []);
  colouring.of.forEach((value, i) => rows[value].push(i));
  const data = colouring.values.map((value, code) => ({
    type: "scatter",
    mode: "markers",
    name: value,
    x: rows[code].map((i) => place.x[i]),
    y: rows[code].map((i) => place.y[i]),
    text: rows[code].map((i) => text[i]),
    marker: {
      color: colouring.colours[code],
      symbol: colouring.symbols[code],
      size: names.length > 1000 ? 6 : 8,
      opacity: 0.85,
      line: { color: "$ground", width: 0.5 },
    },
    hovertemplate: "%{text}<extra></extra>",
  }));
  return { data, legend: colouring.legend, titles: place.titles, label: `${place.label}, ${colouring.label}.` };
}

// Four bytes a number, the lowest first.
function numbers({ bdata }) {
  const bytes = Uint8Array.from(atob(bdata), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
}

for (const form of document.querySelectorAll("form[data-switches]")) {
  const key = form.dataset.switches;
  const element = document.querySelector(`[data-figure="${key}"]`);
  const own = figures[key];
  for (const place of Object.values(own.points.places)) {
    place.x = numbers(place.x);
    place.y = numbers(place.y);
  }
  const show = () => {
    const { data, legend, titles, label } = pointsOf(own.points, form);
    own.data = data;
    own.layout.showlegend = legend;
    own.layout.xaxis.title = { text: titles[0] };
    own.layout.yaxis.title = { text: titles[1] };
    element.setAttribute("aria-label", label);
    if (drawn.has(element)) draw(element);
  };
  form.addEventListener("change", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  show(); // a browser may have kept what was chosen before the page was loaded anew
}
