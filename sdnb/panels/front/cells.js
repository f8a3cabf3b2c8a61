// The grid of a comparison, and its flip book: a slider for each axis, and one for the step.

class Cells {
  constructor(board) {
    this.board = board;
    this.sheet = new Sheet();
    this.fixed = []; // by axis: the place of the one value that is shown, or null
    this.sliders = make("div", { class: "sdnb-sliders" });
    this.tables = make("div", { class: "sdnb-tables" });
    this.element = make("div", { class: "sdnb-cells" }, this.tables, this.sliders);
    this.drawn = new Map(); // place of a cell -> its parts on the page
  }

  async show(view) {
    const axes = JSON.stringify(view.axes);
    const words = JSON.stringify([view.axes, view.moments, view.texts]);
    const is_last = !this.view || this.moment >= this.view.moments.length - 1;
    this.view = view;
    if (axes !== this.axes) this.fixed = view.axes.map(() => null);
    if (words !== this.words) {
      const last = view.moments.length - 1;
      this.moment = is_last || axes !== this.axes ? last : Math.min(this.moment, last);
      this.describe();
    }
    [this.axes, this.words] = [axes, words];
    this.say();
    const bytes = this.board.model.get("data");
    if (bytes !== this.sheet.bytes) {
      await this.sheet.load(bytes);
      this.board.send({ do: "drawn" });
    }
    this.draw();
  }

  describe() {
    const { axes, moments, texts } = this.view;
    const sliders = axes.flatMap((axis, place) =>
      axis.labels.length > 1 && !axis.is_whole ? [this.axisSlider(axis, place)] : []
    );
    if (moments.length > 1) sliders.push(this.momentSlider(moments, texts.moment));
    keepFocus(this.sliders, () => this.sliders.replaceChildren(...sliders));
    this.lay();
  }

  axisSlider(axis, place) {
    const stops = [this.view.texts.all, ...axis.labels];
    const at = this.fixed[place] === null ? 0 : this.fixed[place] + 1;
    return slider(`${this.board.model.get("place")}-axis-${place}`, axis.name, stops, at, (stop) => {
      this.fixed[place] = stop ? stop - 1 : null;
      this.lay();
      this.say();
      this.draw();
    });
  }

  momentSlider(moments, name) {
    return slider(`${this.board.model.get("place")}-moment`, name, moments, this.moment, (stop) => {
      this.moment = stop;
      this.draw();
    });
  }

  // Tables of what is shown: the last axis across, the one before it down, one for the others.
  lay() {
    const { axes } = this.view;
    this.drawn.clear();
    const places = axes.map((axis, i) =>
      this.fixed[i] === null ? axis.labels.map((_, value) => value) : [this.fixed[i]]
    );
    const open = axes.map((_, i) => i).filter((i) => places[i].length > 1);
    const [down, across] = [open.at(-2), open.at(-1)];
    const above = open.slice(0, -2);
    const combined = above.reduce(
      (found, i) => found.flatMap((one) => places[i].map((value) => ({ ...one, [i]: value }))),
      [Object.fromEntries(places.map((each, i) => [i, each[0]]))]
    );
    const tables = combined.map((at) => this.table(at, above, down, across, places));
    this.tables.style.setProperty("--sdnb-across", across === undefined ? 1 : places[across].length);
    this.tables.replaceChildren(...tables);
  }

  table(at, above, down, across, places) {
    const caption = (i, value) => this.view.axes[i].captions[value];
    const columns = across === undefined ? [null] : places[across];
    const rows = down === undefined ? [null] : places[down];
    const table = make("table", { class: "sdnb-table" });
    if (above.length)
      table.append(make("caption", {}, above.map((i) => caption(i, at[i])).join(", ")));
    if (across !== undefined) {
      const heads = columns.map((value) => make("th", { scope: "col" }, caption(across, value)));
      table.append(make("tr", {}, ...(down === undefined ? [] : [make("td", {})]), ...heads));
    }
    for (const row of rows) {
      const here = { ...at, ...(row === null ? {} : { [down]: row }) };
      const cells = columns.map((value) =>
        this.cell(this.place({ ...here, ...(value === null ? {} : { [across]: value }) }))
      );
      const head = row === null ? [] : [make("th", { scope: "row" }, caption(down, row))];
      table.append(make("tr", {}, ...head, ...cells));
    }
    return table;
  }

  // The last axis is the fastest.
  place(at) {
    return this.view.axes.reduce((found, axis, i) => found * axis.labels.length + at[i], 0);
  }

  cell(place) {
    const canvas = make("canvas", { role: "img" });
    const empty = make("div", { class: "sdnb-empty" });
    const open = make("button", { type: "button", class: "sdnb-cell" }, empty, canvas);
    const said = make("div", { class: "sdnb-note" });
    open.addEventListener("click", () => {
      if (open.getAttribute("aria-disabled") !== "true") this.board.send({ do: "open", cell: place });
    });
    this.drawn.set(place, { canvas, empty, open, said });
    return make("td", {}, open, said);
  }

  say() {
    const can_open = this.board.model.get("status").enabled.length > 0;
    for (const [place, { canvas, empty, open, said }] of this.drawn) {
      const cell = this.view.cells[place];
      open.setAttribute("aria-label", cell.label);
      enable(open, can_open && cell.is_open);
      open.dataset.state = cell.state;
      empty.textContent = cell.state === "failed" ? "×" : "…";
      canvas.setAttribute("aria-label", cell.label);
      if (said.textContent !== cell.said) said.textContent = cell.said;
      said.classList.toggle("sdnb-error", cell.state === "failed");
    }
  }

  draw() {
    const { frames, cells } = this.view;
    const moment = Math.min(this.moment, this.view.moments.length - 1);
    for (const [place, { canvas, empty, open }] of this.drawn) {
      const frame = frames.sizes[moment * cells.length + place];
      const is_there = Boolean(frame && this.sheet.image);
      canvas.hidden = !is_there;
      empty.hidden = is_there;
      open.style.aspectRatio = frame ? `${frame[0]} / ${frame[1]}` : "1";
      if (is_there) this.sheet.draw(canvas, moment * cells.length + place, frames, frame);
    }
  }
}

// A slider with its name before it and where it stands behind it.
function slider(id, name, stops, at, moved) {
  const label = make("label", { for: id, class: "sdnb-label" }, name);
  const shown = make("output", { for: id });
  const input = make("input", { id, type: "range", min: 0, max: stops.length - 1, step: 1 });
  input.value = at;
  const say = () => {
    shown.textContent = stops[input.value];
    input.setAttribute("aria-valuetext", stops[input.value]);
  };
  input.addEventListener("input", () => {
    say();
    moved(Number(input.value));
  });
  say();
  return make("div", { class: "sdnb-slider" }, label, input, shown);
}
