// Frames that came together on one sheet.

class Sheet {
  constructor() {
    this.latest = 0;
    this.image = null;
  }

  // Resolves to whether these are the newest bytes; what is older is not worth drawing.
  async load(bytes) {
    const mine = ++this.latest;
    this.bytes = bytes;
    const image = size(bytes)
      ? await createImageBitmap(new Blob([bytes], { type: "image/jpeg" }))
      : null;
    if (mine !== this.latest) return false;
    this.image = image;
    return true;
  }

  // Draws a frame in its own size on a canvas.
  draw(canvas, place, { columns, width, height }, [wide, high]) {
    Object.assign(canvas, { width: wide, height: high });
    const [x, y] = [(place % columns) * width, Math.floor(place / columns) * height];
    canvas.getContext("2d").drawImage(this.image, x, y, wide, high, 0, 0, wide, high);
  }
}

// A plot as it was drawn once, with its words.
class Still {
  constructor() {
    this.image = make("img", { alt: "" });
    this.element = make("figure", { class: "sdnb-still" }, this.image);
  }

  show(view) {
    if (this.image.src !== view.source) this.image.src = view.source;
    this.image.alt = view.alt;
  }
}

// What is asked before something cannot be undone: the harmless answer comes first.
class Question {
  constructor(board) {
    this.board = board;
    this.text = make("p", {});
    this.answers = make("div", { class: "sdnb-actions" });
    this.element = make("div", { class: "sdnb-question", role: "alertdialog" }, this.text, this.answers);
  }

  show(view) {
    const is_new = this.text.textContent !== view.text;
    this.text.textContent = view.text;
    this.element.setAttribute("aria-label", view.text);
    const answer = (button) => this.board.send({ do: button.dataset.do });
    this.answers.replaceChildren(...view.answers.map((action) => actionButton(action, answer)));
    if (is_new) requestAnimationFrame(() => this.answers.firstChild.focus());
  }
}
