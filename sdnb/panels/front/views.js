// Pictures that a board shows: the chosen step's, and several side by side.

// The estimate of the chosen step, as large as the strip knows it.
class Frame {
  constructor(board) {
    this.strip = board.strip;
    this.canvas = make("canvas", { class: "sdnb-frame", role: "img" });
    this.box = make("div", { class: "sdnb-box" }, this.canvas);
    this.caption = make("figcaption", { class: "sdnb-caption" });
    this.label = make("div", { class: "sdnb-label" });
    this.element = make("figure", { class: "sdnb-figure" }, this.label, this.box, this.caption);
  }

  show(view) {
    this.label.textContent = view.label;
    this.alt = view.alt;
  }

  turn(index) {
    const source = index < this.strip.count && this.strip.source(index);
    if (!source) return;
    const [, , , width, height] = source;
    this.box.style.aspectRatio = `${width} / ${height}`;
    this.box.style.setProperty("--sdnb-share", width / height);
    Object.assign(this.canvas, { width: width * 2, height: height * 2 });
    const context = this.canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(...source, 0, 0, width * 2, height * 2);
    this.caption.textContent = this.strip.caption(index);
    this.canvas.setAttribute("aria-label", `${this.alt}: ${this.strip.caption(index)}`);
  }
}

// Pictures side by side, each with what it is; some have one for each step.
class Pictures {
  constructor() {
    this.element = make("div", { class: "sdnb-pictures" });
    this.figures = [];
    this.index = 0;
  }

  show(view) {
    this.view = view;
    this.element.dataset.count = view.pictures.length;
    while (this.figures.length > view.pictures.length) this.figures.pop().element.remove();
    while (this.figures.length < view.pictures.length) this.figures.push(this.figure());
    this.draw();
  }

  turn(index) {
    this.index = index;
    this.draw();
  }

  draw() {
    this.view.pictures.forEach((whole, place) => {
      const picture = { ...whole, ...whole.steps?.[this.index] };
      const { label, image, empty, caption } = this.figures[place];
      label.textContent = picture.label;
      image.hidden = !picture.source;
      empty.hidden = Boolean(picture.source);
      empty.textContent = this.view.empty;
      if (picture.source && image.src !== picture.source) image.src = picture.source;
      image.alt = picture.alt;
      caption.textContent = picture.caption;
    });
  }

  figure() {
    const label = make("div", { class: "sdnb-label" });
    const image = make("img", { class: "sdnb-picture", alt: "" });
    const empty = make("div", { class: "sdnb-empty" });
    const box = make("div", { class: "sdnb-box" }, empty, image);
    const caption = make("figcaption", { class: "sdnb-caption" });
    const element = make("figure", { class: "sdnb-figure" }, label, box, caption);
    this.element.append(element);
    return { element, label, image, empty, caption };
  }
}
