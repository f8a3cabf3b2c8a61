// A text as letters, words and tokens, side by side; and how much of the encoder's room it fills.

class Tokens {
  constructor() {
    this.label = make("div", { class: "sdnb-label" });
    this.chunks = make("div", { class: "sdnb-chunks" });
    this.more = make("div", { class: "sdnb-note" });
    this.element = make("div", { class: "sdnb-figure" }, this.label, this.chunks, this.more);
  }

  show(view) {
    const words = JSON.stringify(view);
    if (words === this.words) return;
    this.words = words;
    this.label.textContent = view.label;
    this.more.textContent = view.more;
    this.chunks.replaceChildren(...view.chunks.map((chunk) => this.chunk(chunk)));
    this.scroll(view.chunks.length > 1);
  }

  // A long text has a window of its own, which the keyboard reaches too: the plot stays in sight.
  scroll(is_long) {
    const window = { tabindex: "0", role: "group", "aria-label": this.label.textContent };
    for (const [name, value] of Object.entries(window))
      if (is_long) this.chunks.setAttribute(name, value);
      else this.chunks.removeAttribute(name);
    this.chunks.classList.toggle("sdnb-scrolled", is_long);
  }

  chunk({ label, blocks, places, filled, said }) {
    const name = label ? make("div", { class: "sdnb-note" }, label) : null;
    const list = make("ul", { class: "sdnb-words" }, ...blocks.map((block) => this.block(block)));
    const kind = (place) =>
      place === 0 || place === filled + 1 ? "sdnb-mark" : place <= filled ? "sdnb-full" : null;
    const cells = [...Array(places).keys()].map((place) => make("span", { class: kind(place) }));
    const meter = make("div", { class: "sdnb-places", "aria-hidden": "true" }, ...cells);
    return make("div", {}, name, list, meter, make("div", { class: "sdnb-note" }, said));
  }

  // Letters over the word over its tokens: what belongs together stands together.
  block({ word, characters, tokens, is_mark = false }) {
    const letters = characters.map((letter) => make("span", {}, letter));
    const pieces = tokens.map(({ text, id }) =>
      make("span", { class: "sdnb-token" }, make("span", {}, text), make("small", {}, id))
    );
    return make(
      "li",
      { class: is_mark ? "sdnb-word sdnb-quiet" : "sdnb-word" },
      make("span", { class: "sdnb-letters", "aria-hidden": "true" }, ...letters),
      make("span", { class: "sdnb-spelled" }, word),
      make("span", { class: "sdnb-pieces" }, ...pieces)
    );
  }
}
