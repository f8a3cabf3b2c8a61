// Lines and bars on axes, as SVG: drawn here, so that what is dragged or scrubbed waits for nobody.

const DASHES = {
  solid: null,
  dash: "7 4",
  dot: "2 3",
  dashdot: "7 3 2 3",
  longdash: "12 4",
  longdashdot: "12 4 2 4",
};
const MARGIN = { left: 50, right: 12, top: 8, bottom: 36 };

class Chart {
  constructor(height) {
    this.height = height;
    this.plot = shape("g");
    this.over = shape("g"); // its owner's, not drawn anew
    this.svg = shape("svg", { class: "sdnb-chart", height, role: "img" }, this.plot, this.over);
    this.title = make("div", { class: "sdnb-label" });
    this.element = make("div", { class: "sdnb-figure" }, this.title, this.svg);
    new ResizeObserver(() => this.width && this.redraw()).observe(this.svg);
  }

  get width() {
    return this.svg.clientWidth;
  }

  // What is drawn: title, alt, x and y ({from, to, label, log}), lines, bars; `then` comes after.
  draw(drawing, then = () => {}) {
    this.drawing = drawing;
    this.then = then;
    this.redraw();
  }

  redraw() {
    if (!this.drawing || !this.width) return;
    const { title, alt, x, y, lines = [], bars = null } = this.drawing;
    this.title.textContent = title;
    this.svg.setAttribute("aria-label", alt);
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    this.plot.replaceChildren(...this.axes(x, y));
    if (bars) this.plot.append(...this.bars(bars));
    this.plot.append(...lines.map((line) => this.line(line)));
    this.then();
  }

  across(value) {
    const { from, to } = this.drawing.x;
    const room = this.width - MARGIN.left - MARGIN.right;
    return MARGIN.left + ((value - from) / (to - from)) * room;
  }

  down(value) {
    const { from, to, log } = this.drawing.y;
    const of = log ? Math.log : Number;
    const room = this.height - MARGIN.top - MARGIN.bottom;
    return MARGIN.top + ((of(to) - of(value)) / (of(to) - of(from))) * room;
  }

  // The values at a place of the page.
  at(event) {
    const box = this.svg.getBoundingClientRect();
    const { x, y } = this.drawing;
    const right = (event.clientX - box.left - MARGIN.left) / (box.width - MARGIN.left - MARGIN.right);
    const below = (event.clientY - box.top - MARGIN.top) / (box.height - MARGIN.top - MARGIN.bottom);
    const value = y.log ? y.to * (y.from / y.to) ** below : y.to + (y.from - y.to) * below;
    return [x.from + (x.to - x.from) * right, value];
  }

  axes(x, y) {
    const [left, right] = [MARGIN.left, this.width - MARGIN.right];
    const foot = this.height - MARGIN.bottom;
    const parts = [];
    for (const value of ticks(y, (foot - MARGIN.top) / 34)) {
      const place = this.down(value);
      parts.push(shape("line", { class: "sdnb-grid", x1: left, x2: right, y1: place, y2: place }));
      parts.push(words(left - 6, place + 4, short(value), "end"));
    }
    for (const value of ticks(x, (right - left) / 45)) {
      parts.push(words(this.across(value), foot + 15, short(value), "middle"));
    }
    parts.push(shape("line", { class: "sdnb-axis", x1: left, x2: right, y1: foot, y2: foot }));
    parts.push(words((left + right) / 2, this.height - 5, x.label, "middle"));
    const turned = words(0, 0, y.label, "middle");
    const middle = (MARGIN.top + foot) / 2;
    turned.setAttribute("transform", `translate(11 ${middle}) rotate(-90)`);
    return [...parts, turned];
  }

  line({ xs, ys, colour, dash, weight = 2 }) {
    const places = xs.map((x, i) => `${this.across(x).toFixed(1)},${this.down(ys[i]).toFixed(1)}`);
    const look = { stroke: colour, "stroke-width": weight, "stroke-dasharray": DASHES[dash] };
    const path = { d: `M${places.join("L")}`, fill: "none", "stroke-linejoin": "round", ...look };
    return shape("path", path);
  }

  bars({ xs, ys, colour }) {
    const wide = this.across(xs[1]) - this.across(xs[0]);
    const foot = this.down(this.drawing.y.from);
    return xs.map((x, i) => {
      const top = Math.max(MARGIN.top, this.down(ys[i]));
      const place = { x: this.across(x) - wide / 2, y: top, width: wide - 1, height: foot - top };
      return shape("rect", { ...place, fill: colour });
    });
  }
}

function words(x, y, text, anchor) {
  return shape("text", { x, y, "text-anchor": anchor }, text);
}

function short(value) {
  return String(Number(value.toPrecision(3))).replace("-", "−");
}

function ticks({ from, to, log }, most) {
  const parts = log ? [1, 2, 5] : [1];
  const step = log ? 0 : roundStep((to - from) / Math.max(2, most));
  if (!log) {
    const first = Math.ceil(from / step - 1e-9);
    return [...Array(Math.floor(to / step + 1e-9) - first + 1).keys()].map((i) => (first + i) * step);
  }
  const powers = [];
  for (let power = Math.floor(Math.log10(from)); power <= Math.log10(to); power++)
    for (const part of parts) powers.push(part * 10 ** power);
  const inside = powers.filter((value) => value >= from * 0.999 && value <= to * 1.001);
  if (inside.length < 2) return ticks({ from, to }, most);
  const whole = inside.filter((value) => Math.abs(Math.log10(value) % 1) < 1e-9);
  return inside.length <= most || whole.length < 2 ? inside : whole;
}

function roundStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((part) => part * power).find((step) => step >= least * 0.999);
}

// How latents are distributed in the chosen step, beside the unit Gaussian.
class Histogram {
  constructor() {
    this.chart = new Chart(250);
    this.element = this.chart.element;
    this.caption = make("div", { class: "sdnb-caption" });
    this.element.append(this.caption);
  }

  show(view) {
    this.view = view;
  }

  turn(index) {
    const { x, y, xs, steps, gaussian, bars, title } = this.view;
    const step = steps[index];
    if (!step) return;
    const lines = [{ xs, ys: gaussian.ys, colour: gaussian.colour }];
    this.caption.textContent = step.said;
    const alt = `${title}: ${step.said}`;
    this.chart.draw({ title, alt, x, y, lines, bars: { xs, ys: step.ys, colour: bars } });
  }
}

// Lines over one axis, with the chosen step marked on each of them.
class Curve {
  constructor() {
    this.chart = new Chart(250);
    this.legend = make("div", { class: "sdnb-note sdnb-legend" });
    this.caption = make("div", { class: "sdnb-caption" });
    this.element = this.chart.element;
    this.element.append(this.legend, this.caption);
  }

  show(view) {
    this.view = view;
    this.legend.replaceChildren(...view.lines.map(named));
  }

  turn(index) {
    const { title, x, y, lines, said } = this.view;
    if (!said[index]) return;
    this.caption.textContent = said[index];
    const alt = `${title}: ${said[index]}`;
    this.chart.draw({ title, alt, x, y, lines }, () => this.mark(index));
  }

  mark(index) {
    const { chart } = this;
    const { lines } = this.view;
    const x = chart.across(lines[0].xs[index]);
    const ends = { x1: x, x2: x, y1: MARGIN.top, y2: chart.height - MARGIN.bottom };
    const points = lines.map(({ ys, colour }) => {
      const look = { cx: x, cy: chart.down(ys[index]), r: 5, class: "sdnb-point" };
      return shape("circle", { ...look, style: `color:${colour}` });
    });
    chart.over.replaceChildren(shape("line", { ...ends, class: "sdnb-mark" }), ...points);
  }
}

// A line's sample and its name.
function named({ label, colour, dash }) {
  const look = { x1: 1, x2: 27, y1: 6, y2: 6, stroke: colour, "stroke-width": 2.5 };
  const line = shape("line", { ...look, "stroke-dasharray": DASHES[dash] });
  const sample = shape("svg", { width: 28, height: 12, "aria-hidden": "true" }, line);
  return make("span", {}, sample, label);
}

// Lines, with the names of those that have one.
class Lines {
  constructor() {
    this.chart = new Chart(220);
    this.legend = make("div", { class: "sdnb-legend" });
    this.element = this.chart.element;
    this.element.append(this.legend);
  }

  show(view) {
    this.legend.replaceChildren(...view.lines.filter((line) => line.label).map(named));
    this.chart.draw(view);
  }
}
