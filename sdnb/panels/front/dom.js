// Making elements, and saying words with values in them.

const SVG = "http://www.w3.org/2000/svg";

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined)
      node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// Changes what is inside of a node; what had the focus has it again, by its id.
function keepFocus(node, change) {
  const { id } = node.contains(document.activeElement) ? document.activeElement : {};
  change();
  if (id) document.getElementById(id)?.focus();
}

function fill(words, values) {
  return words.replace(/{(\w+)}/g, (place, name) => (name in values ? values[name] : place));
}

function shape(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes))
    if (value !== null && value !== undefined) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function icon(path) {
  const outer = { viewBox: "0 0 16 16", "aria-hidden": "true" };
  return shape("svg", outer, shape("path", { d: path }));
}

const ICONS = {
  generate: "M4 2l9 6-9 6z",
  pause: "M4 2h3v12H4zM9 2h3v12H9z",
  resume: "M4 2l9 6-9 6z",
  step: "M3 2l7 6-7 6zM11 2h2.5v12H11z",
  step_back: "M13 2L6 8l7 6zM2.5 2H5v12H2.5z",
  stop: "M3 3h10v10H3z",
  rewind: "M8 2L2 8l6 6zM14 2L8 8l6 6z",
  branch: "M4 1v9a4 4 0 0 0 4 4h5v-2H8a2 2 0 0 1-2-2V8h4l3-3.5L10 1H8v4H6V1z",
  save: "M7 1h2v6h3L8 12 4 7h3zM2 13h12v2H2z",
  copy: "M5 1h9v10H5zM2 4h1.5v8.500H11V14H2z",
  fill: "M2 2h5v5H2zM9 2h5v5H9zM2 9h5v5H2zM9 9h5v5H9z",
  flip: "M2 3h3v10H2zM6.500 3h3v10h-3zM11 3h3v10h-3z",
  measure: "M2 2h1.500v10.500H14V14H2zM5 9l3-3 2 2 3-4 1.200 1L10 10.500 8 8.200 6.200 10z",
  collect: "M7 2h2v5h5v2H9v5H7V9H2V7h5z",
  recall: "M4 2l9 6-9 6z",
  pin: "M5 1h6v1.500h-1V6l2 3H9v6H7V9H4l2-3V2.500H5z",
  ask: "M6 1h4v1.500h4V4H2V2.500h4zM3 5h10l-1 10H4z",
  newer: "M11 2L5 8l6 6z",
  older: "M5 2l6 6-6 6z",
  use: "M9 3l5 5-5 5v-3.500H2v-3h7z",
};

function url(bytes, type = "image/jpeg") {
  return URL.createObjectURL(new Blob([bytes], { type }));
}

function size(bytes) {
  return bytes ? bytes.byteLength : 0;
}
