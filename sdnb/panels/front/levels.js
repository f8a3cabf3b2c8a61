// Noise levels to be drawn: points that are dragged or moved by keys, beside other schedules.

const APART = 1.001; // a level over the one that follows, at least
const NEAR = 14; // pixels around a point that still are the point's

class Levels {
  constructor(board) {
    this.board = board;
    this.main = new Chart(280);
    this.ratio = new Chart(190);
    this.sizes = new Chart(190);
    this.main.svg.setAttribute("role", "group");
    this.main.svg.classList.add("sdnb-drawn");
    this.legend = make("div", { class: "sdnb-legend" });
    this.help = make("div", { class: "sdnb-note" });
    const pair = make("div", { class: "sdnb-pair" }, this.ratio.element, this.sizes.element);
    this.element = make("div", { class: "sdnb-figure" });
    this.element.append(this.legend, this.main.element, this.help, pair);
    this.handles = [];
    this.at = 0; // the point that Tab leads to
    this.listen();
  }

  show(view) {
    this.view = view;
    this.help.textContent = view.words.help;
    if (this.dragged === undefined && !this.waiting) this.levels = view.levels;
    const all = [view.drawn, ...view.curves];
    this.legend.replaceChildren(...all.map(named));
    this.draw();
  }

  draw() {
    const { curves, drawn, words, bounds } = this.view;
    const mine = { ...drawn, weight: 3, sigmas: [...this.levels, 0] };
    const all = [...curves, mine];
    const last = Math.max(1, ...all.map((one) => one.sigmas.length - 2));
    const x = { from: 0, to: last, label: words.step };
    const lines = (of) =>
      all.map((one) => {
        const ys = of(one.sigmas);
        return { ...one, ys, xs: ys.map((_, i) => i) };
      });
    const y = { from: bounds[0] / 1.3, to: bounds[1] * 1.3, log: true, label: "σ" };
    const sigma = lines((sigmas) => sigmas.slice(0, -1));
    this.main.draw({ title: words.sigma, alt: words.alt, x, y, lines: sigma }, () => this.place());
    const ratio = lines((sigmas) => sigmas.slice(0, -1).map((level) => -2 * Math.log(level)));
    const log = { from: -2 * Math.log(y.to), to: -2 * Math.log(y.from), label: words.nats };
    this.ratio.draw({ title: words.ratio, alt: words.ratio, x, y: log, lines: ratio });
    const sizes = lines((sigmas) => sigmas.slice(1).map((level, i) => sigmas[i] - level));
    const range = sizes.flatMap((one) => one.ys);
    const [least, most] = [Math.min(...range) / 1.3, Math.max(...range) * 1.3];
    const size = { from: Math.max(least, most * 1e-5), to: most, log: true, label: words.less };
    for (const one of sizes) one.ys = one.ys.map((value) => Math.max(value, size.from));
    this.sizes.draw({ title: words.size, alt: words.size, x, y: size, lines: sizes });
  }

  // The points stay the same elements: focus and pointer are not lost while they move.
  place() {
    const count = this.levels.length;
    while (this.handles.length > count) this.handles.pop().remove();
    while (this.handles.length < count) this.handles.push(this.handle(this.handles.length));
    this.at = Math.min(this.at, count - 1);
    const { bounds, words, drawn } = this.view;
    this.handles.forEach((handle, index) => {
      const level = this.levels[index];
      const where = `translate(${this.main.across(index)} ${this.main.down(level)})`;
      handle.setAttribute("transform", where);
      handle.style.color = drawn.colour;
      handle.setAttribute("tabindex", index === this.at ? 0 : -1);
      handle.setAttribute("aria-label", fill(words.level, { step: index + 1, total: count }));
      handle.setAttribute("aria-valuemin", bounds[0]);
      handle.setAttribute("aria-valuemax", bounds[1]);
      handle.setAttribute("aria-valuenow", level);
      handle.setAttribute("aria-valuetext", `σ ${short(level)}`);
    });
  }

  handle(index) {
    const point = shape("circle", { r: 5.5, class: "sdnb-point" });
    const around = shape("circle", { r: NEAR, fill: "transparent" });
    const look = { role: "slider", class: "sdnb-handle", "aria-orientation": "vertical" };
    const handle = shape("g", look, around, point);
    handle.addEventListener("keydown", (event) => this.key(event, index));
    handle.addEventListener("focus", () => {
      this.at = index;
      this.place();
    });
    this.main.over.append(handle);
    return handle;
  }

  listen() {
    const { svg } = this.main;
    svg.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      const near = this.near(event);
      const is_point = this.isOn(event, near);
      if (!is_point && event.pointerType === "touch") return; // the page scrolls
      svg.setPointerCapture(event.pointerId);
      event.preventDefault();
      this.handles[near].focus({ preventScroll: true });
      this.drags = is_point ? near : null; // a point of its own, or whichever is under the pen
      this.begin(near);
      if (!is_point) this.drag(event);
    });
    svg.addEventListener("pointermove", (event) => this.dragged !== undefined && this.drag(event));
    for (const kind of ["pointerup", "pointercancel"])
      svg.addEventListener(kind, () => {
        if (this.dragged === undefined) return;
        this.dragged = undefined;
        this.tell();
      });
  }

  begin(index) {
    this.dragged = index;
    this.before = this.levels;
  }

  drag(event) {
    const near = this.drags ?? this.near(event);
    if (near !== this.dragged) this.begin(near);
    this.levels = pushed(this.before, near, this.main.at(event)[1], this.view.bounds);
    this.draw();
  }

  near(event) {
    const step = Math.round(this.main.at(event)[0]);
    return Math.max(0, Math.min(this.levels.length - 1, step));
  }

  isOn(event, index) {
    const box = this.main.svg.getBoundingClientRect();
    const right = event.clientX - box.left - this.main.across(index);
    const below = event.clientY - box.top - this.main.down(this.levels[index]);
    return Math.hypot(right, below) <= NEAR;
  }

  key(event, index) {
    const [low, high] = this.view.bounds;
    const factors = {
      ArrowUp: 1.04,
      ArrowDown: 1 / 1.04,
      PageUp: 1.25,
      PageDown: 0.8,
      Home: low / high,
      End: high / low,
    };
    const to = { ArrowLeft: index - 1, ArrowRight: index + 1 }[event.key];
    if (to !== undefined) this.handles[to]?.focus();
    else if (event.key in factors) {
      const sigma = this.levels[index] * factors[event.key];
      this.levels = pushed(this.levels, index, sigma, this.view.bounds);
      this.draw();
      clearTimeout(this.waiting);
      this.waiting = setTimeout(() => this.flush(), WAIT);
    } else return;
    event.preventDefault();
  }

  // What the keys moved is told once they rest.
  flush() {
    if (!this.waiting) return;
    clearTimeout(this.waiting);
    this.waiting = null;
    this.tell();
  }

  tell() {
    this.board.model.send({ do: "levels", levels: this.levels });
  }
}

// One level moved, the others still falling: those in its way are pushed along.
function pushed(levels, index, sigma, bounds) {
  const last = levels.length - 1;
  const low = bounds[0] * APART ** (last - index);
  const high = Math.max(low, bounds[1] / APART ** index);
  const moved = [...levels];
  moved[index] = Math.min(Math.max(sigma, low), high);
  for (let i = index - 1; i >= 0; i--) moved[i] = Math.max(moved[i], moved[i + 1] * APART);
  for (let i = index + 1; i <= last; i++) moved[i] = Math.min(moved[i], moved[i - 1] / APART);
  return moved.map((level) => Number(level.toPrecision(5)));
}
