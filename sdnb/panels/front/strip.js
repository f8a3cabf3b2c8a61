// The film strip: all steps on one canvas. Scrubbing asks nobody; resting on a step may.

const REST = 180; // milliseconds on a step before its exact picture is asked for

class Strip {
  constructor(model, texts, shown, chosen, rested) {
    this.model = model;
    this.texts = texts;
    this.shown = shown; // (index | null): look at this step for now
    this.chosen = chosen; // (index): go there
    this.rested = rested;
    this.index = null;
    this.closeups = new Map();
    this.canvas = make("canvas", {
      class: "sdnb-strip",
      tabindex: 0,
      role: "slider",
      "aria-orientation": "horizontal",
    });
    this.help = make("div", { class: "sdnb-note" });
    this.element = make("div", { class: "sdnb-film" }, this.canvas, this.help);
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }

  get film() {
    return this.model.get("film");
  }

  get count() {
    return this.film.count || 0;
  }

  listen() {
    const at = (event) => this.place(event.clientX);
    this.canvas.addEventListener("pointermove", (event) => this.point(at(event)));
    this.canvas.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse") this.leave();
    });
    this.canvas.addEventListener("pointerup", (event) => {
      this.canvas.focus({ preventScroll: true });
      this.point(at(event));
      if (event.pointerType === "mouse") this.chosen(this.index);
    });
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.canvas.addEventListener("blur", () => this.leave());
    this.canvas.addEventListener("focus", () => this.point(this.index ?? this.count - 1));
  }

  key(event) {
    const last = this.count - 1;
    const moves = {
      ArrowLeft: -1,
      ArrowDown: -1,
      ArrowRight: 1,
      ArrowUp: 1,
      PageDown: -5,
      PageUp: 5,
    };
    if (event.key in moves) this.point((this.index ?? last) + moves[event.key]);
    else if (event.key === "Home") this.point(0);
    else if (event.key === "End") this.point(last);
    else if (event.key === "Enter" || event.key === " ") this.chosen(this.index);
    else return;
    event.preventDefault();
  }

  place(clientX) {
    const box = this.canvas.getBoundingClientRect();
    return Math.floor(((clientX - box.left) / box.width) * this.count);
  }

  point(index) {
    if (!this.count) return;
    const before = this.index;
    this.index = Math.max(0, Math.min(this.count - 1, index));
    if (this.index === before && this.isShowing) return;
    this.isShowing = true;
    this.say();
    this.draw();
    this.shown(this.index);
    clearTimeout(this.timer);
    if (!this.film.exact.includes(this.index) && !this.closeups.has(this.index))
      this.timer = setTimeout(() => this.rested(this.index), REST);
  }

  // The run is held somewhere else: marked, unless somebody looks at another step.
  follow(step) {
    if (!this.count || this.isShowing) return;
    this.index = Math.max(0, Math.min(this.count, step) - 1);
    this.say();
    this.draw();
  }

  leave() {
    clearTimeout(this.timer);
    this.isShowing = false;
    this.shown(null);
  }

  reset() {
    this.closeups.clear();
    const step = this.model.get("status").step || this.count;
    this.index = this.count ? Math.min(this.count, step) - 1 : null;
    this.isShowing = false;
    this.say();
    return this.load();
  }

  async load() {
    const bytes = this.model.get("strip");
    this.sheet = null;
    if (!size(bytes) || !this.count) {
      this.canvas.width = this.canvas.width; // wiped
      return;
    }
    const sheet = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" }));
    this.sheet = sheet;
    this.draw();
  }

  say() {
    this.help.textContent = this.texts().strip_help;
    this.canvas.setAttribute("aria-label", this.texts().strip);
    this.canvas.setAttribute("aria-disabled", this.count ? "false" : "true");
    for (const [name, value] of [["min", 0], ["max", 0], ["now", 0], ["text", this.texts().strip_none]])
      this.canvas.setAttribute(`aria-value${name}`, value);
    if (!this.count || this.index === null || this.index >= this.count) return;
    this.canvas.setAttribute("aria-valuemin", 1);
    this.canvas.setAttribute("aria-valuemax", this.count);
    this.canvas.setAttribute("aria-valuenow", this.index + 1);
    this.canvas.setAttribute("aria-valuetext", this.caption(this.index));
  }

  caption(index) {
    const words = this.isExact(index) ? "frame" : "frame_sketch";
    const sigma = Number(this.film.sigmas[index].toPrecision(3));
    const t = this.film.times[index];
    return fill(this.texts()[words], { step: index + 1, total: this.count, sigma, t });
  }

  isExact(index) {
    return this.closeups.has(index) || this.film.exact.includes(index);
  }

  // Source of one frame for drawing: image, x, y, width, height.
  source(index) {
    const closeup = this.closeups.get(index);
    if (closeup) return [closeup, 0, 0, closeup.width, closeup.height];
    const { width, height, columns } = this.film;
    const [x, y] = [(index % columns) * width, Math.floor(index / columns) * height];
    return this.sheet && [this.sheet, x, y, width, height];
  }

  // All steps side by side, as slices where there are many; the chosen one whole, over them.
  draw() {
    const wide = this.canvas.clientWidth;
    if (!this.count || !this.sheet || !wide) return;
    const ratio = window.devicePixelRatio || 1;
    const high = this.canvas.clientHeight;
    Object.assign(this.canvas, { width: Math.round(wide * ratio), height: Math.round(high * ratio) });
    const context = this.canvas.getContext("2d");
    context.scale(ratio, ratio);
    const cell = wide / this.count;
    for (let index = 0; index < this.count; index++) {
      context.globalAlpha = index < this.film.begin ? 0.5 : 1;
      this.frame(context, index, index * cell, cell - (cell > 6 ? 1 : 0), high);
    }
    context.globalAlpha = 1;
    const whole = Math.max(cell, Math.min(wide, (high * this.film.width) / this.film.height));
    const left = Math.max(0, Math.min(wide - whole, (this.index + 0.5) * cell - whole / 2));
    this.frame(context, this.index, left, whole, high);
    context.lineWidth = 3;
    context.strokeStyle = getComputedStyle(this.canvas).color;
    context.strokeRect(left + 1.5, 1.5, whole - 3, high - 3);
  }

  // The middle of a frame, where its place has other proportions.
  frame(context, index, left, wide, high) {
    const source = this.source(index);
    if (!source) return;
    const share = Math.min(source[3] / wide, source[4] / high);
    const [w, h] = [wide * share, high * share];
    const [x, y] = [source[1] + (source[3] - w) / 2, source[2] + (source[4] - h) / 2];
    context.drawImage(source[0], x, y, w, h, left, 0, wide, high);
  }
}
