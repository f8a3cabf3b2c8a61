// The history: a page of thumbnails, and the one that is looked at.

class Gallery {
  constructor(board) {
    this.board = board;
    this.list = make("ul", { class: "sdnb-gallery" });
    this.empty = make("p", { class: "sdnb-note" });
    this.pages = make("div", { class: "sdnb-actions" });
    this.element = make("div", {}, this.empty, this.list, this.pages);
    this.buttons = new Map(); // number -> its button
  }

  show(view) {
    const words = JSON.stringify([view.entries, view.pages]);
    if (words !== this.words) this.describe(view);
    this.words = words;
    for (const [number, button] of this.buttons)
      button.setAttribute("aria-pressed", number === view.chosen ? "true" : "false");
    enableAll(this.pages, this.board.model.get("status"));
  }

  describe(view) {
    this.list.setAttribute("aria-label", view.label);
    this.empty.textContent = view.empty;
    this.empty.hidden = view.entries.length > 0;
    const items = view.entries.map((entry) => this.item(entry));
    this.list.replaceChildren(...items);
    const turn = (button) => this.board.send({ do: button.dataset.do });
    const pages = view.pages.map((action) => actionButton(action, turn));
    const focused = this.pages.contains(document.activeElement) && document.activeElement.dataset.do;
    this.pages.replaceChildren(...pages);
    if (focused) this.pages.querySelector(`[data-do="${focused}"]`)?.focus();
    const numbers = view.entries.map((entry) => entry.number);
    for (const number of [...this.buttons.keys()])
      if (!numbers.includes(number)) this.buttons.delete(number);
  }

  item({ number, source, label, caption, badge }) {
    const image = make("img", { src: source, alt: "" });
    const button = make(
      "button",
      { type: "button", class: "sdnb-card", "aria-label": label, title: caption },
      image,
      make("span", { class: "sdnb-badge" }, badge),
      make("span", { class: "sdnb-name" }, caption)
    );
    button.addEventListener("click", () => this.board.send({ do: "choose", number }));
    this.buttons.set(number, button);
    return make("li", { class: "sdnb-item" }, button);
  }
}

// The entry that is looked at, with what can be done with it.
class Entry {
  constructor(board) {
    this.image = make("img", { alt: "" });
    this.title = make("p", { class: "sdnb-prompt" });
    this.facts = make("dl", { class: "sdnb-facts" });
    const { buttons, said, offered } = board.keeps;
    this.element = make("div", { class: "sdnb-entry" }, this.image, this.title, this.facts);
    this.element.append(buttons, said, offered);
  }

  show(view) {
    this.image.hidden = !view.source;
    if (view.source && this.image.src !== view.source) this.image.src = view.source;
    this.image.alt = view.alt;
    this.title.textContent = view.title;
    this.title.classList.toggle("sdnb-note", !view.facts.length);
    const rows = view.facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]);
    this.facts.replaceChildren(...rows);
  }
}
