// Rows of small maps, coloured here: scrubbing through the steps asks nobody.

class Grids {
  constructor(board) {
    this.board = board;
    this.low = make("span");
    this.bar = make("span", { class: "sdnb-scale", "aria-hidden": "true" });
    this.high = make("span");
    this.shown = make("div", { class: "sdnb-grids" });
    const scale = make("div", { class: "sdnb-note sdnb-legend" }, this.low, this.bar, this.high);
    this.element = make("div", { class: "sdnb-figure" }, scale, this.shown);
    this.rows = [];
    this.index = 0;
  }

  show(view) {
    this.view = view;
    this.bytes = bytesOf(this.board.model.get("data"));
    this.colours = scale(view.colours);
    this.low.textContent = view.low;
    this.high.textContent = view.high;
    const stops = view.colours.map(([at, colour]) => `${colour} ${100 * at}%`);
    this.bar.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
    this.shown.classList.toggle("sdnb-cards", Boolean(view.is_cards));
    while (this.rows.length > view.rows.length) this.rows.pop().element.remove();
    view.rows.forEach((row, place) => {
      if (this.rows[place]?.tiles.length !== row.alts.length) this.make(row, place);
      const { label, tiles } = this.rows[place];
      label.textContent = row.label;
      tiles.forEach((tile, i) => tile.setAttribute("aria-label", row.alts[i]));
    });
    if (view.under && view.under !== this.under?.src) {
      this.under = make("img", { src: view.under, alt: "" });
      this.under.decode().then(() => this.draw());
    }
    this.draw();
  }

  make(row, place) {
    const tiles = row.alts.map(() => make("canvas", { class: "sdnb-tile", role: "img" }));
    const label = make("div", { class: "sdnb-label" });
    const note = make("figcaption", { class: "sdnb-caption" });
    const inside = make("div", { class: "sdnb-tiles" }, ...tiles);
    const element = make("figure", { class: "sdnb-figure" }, label, inside, note);
    if (this.rows[place]) this.rows[place].element.replaceWith(element);
    else this.shown.append(element);
    this.rows[place] = { element, label, note, tiles };
  }

  // Whoever moves along the strip wants to see that step, not all together.
  turn(index, is_chosen) {
    this.index = index;
    if (is_chosen && this.view.is_together) {
      this.view = { ...this.view, is_together: false };
      this.board.send({ do: "type", name: "together", value: false });
    }
    this.draw();
  }

  draw() {
    const { frames, is_together, width, height } = this.view;
    const frame = is_together ? frames - 1 : Math.min(this.index, frames - 1);
    let offset = 0;
    this.view.rows.forEach((row, place) => {
      const { tiles, note } = this.rows[place];
      note.textContent = row.notes[frame];
      const length = width * height;
      tiles.forEach((tile, i) => this.paint(tile, offset + (frame * tiles.length + i) * length));
      offset += frames * tiles.length * length;
    });
  }

  paint(canvas, offset) {
    const { width, height, veil } = this.view;
    const map = new ImageData(width, height);
    const pixels = new Uint32Array(map.data.buffer);
    for (let i = 0; i < pixels.length; i++) pixels[i] = this.colours[this.bytes[offset + i]];
    if (!this.view.under) {
      Object.assign(canvas, { width, height });
      canvas.getContext("2d").putImageData(map, 0, 0);
      return;
    }
    const { naturalWidth: wide, naturalHeight: high } = this.under;
    if (!wide) return;
    this.small ||= make("canvas");
    Object.assign(this.small, { width, height });
    this.small.getContext("2d").putImageData(map, 0, 0);
    Object.assign(canvas, { width: wide, height: high });
    const context = canvas.getContext("2d");
    context.drawImage(this.under, 0, 0);
    context.globalAlpha = veil;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.small, 0, 0, wide, high);
  }
}

function bytesOf(data) {
  return data.buffer ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array();
}

// 256 colours as pixels, from stops of a scale.
function scale(stops) {
  const canvas = make("canvas");
  Object.assign(canvas, { width: 256, height: 1 });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const gradient = context.createLinearGradient(0, 0, 256, 0);
  for (const [at, colour] of stops) gradient.addColorStop(at, colour);
  context.fillStyle = gradient;
  context.fillRect(0, 0, 256, 1);
  return new Uint32Array(context.getImageData(0, 0, 256, 1).data.buffer);
}
