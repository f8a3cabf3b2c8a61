// What is said in numbers of the chosen step: facts, and sums of small tables.

class Facts {
  constructor() {
    this.element = make("dl", { class: "sdnb-tallies" });
  }

  show(view) {
    this.view = view;
    this.values = view.labels.map(() => make("dd", {}));
    const facts = view.labels.map((label, i) => make("div", {}, make("dt", {}, label), this.values[i]));
    this.element.replaceChildren(...facts);
  }

  turn(index) {
    this.view.steps[index]?.forEach((value, i) => (this.values[i].textContent = value));
  }
}

// Each sum is a column of tables with a sign before all but the first, as sums are written.
class Sums {
  constructor() {
    this.title = make("div", { class: "sdnb-label" });
    this.columns = make("div", { class: "sdnb-sums" });
    this.caption = make("div", { class: "sdnb-caption" });
    this.element = make("div", { class: "sdnb-figure" }, this.title, this.columns, this.caption);
  }

  show(view) {
    this.view = view;
    this.colours = view.colours.map(([, colour]) => colour);
    this.title.textContent = view.title;
    this.caption.textContent = view.caption;
    this.tables = [];
    this.columns.replaceChildren(...view.sums.map((sum) => this.sum(sum)));
  }

  sum({ terms, signs }) {
    const parts = terms.map(({ name, label }, place) => {
      const body = make("tbody");
      this.tables.push({ name, body });
      const table = make("table", { class: "sdnb-numbers" }, make("caption", {}, label), body);
      const sign = make("span", { class: "sdnb-sign" }, place ? signs[place - 1] : "");
      return make("div", { class: "sdnb-term" }, sign, table);
    });
    return make("div", { class: "sdnb-sum" }, ...parts);
  }

  turn(index) {
    const step = this.view.steps[index];
    if (!step) return;
    const most = Math.max(...Object.values(step).flat(2).map(Math.abs)) || 1;
    for (const { name, body } of this.tables) {
      const cells = (row) => row.map((value) => this.cell(value, most));
      body.replaceChildren(...step[name].map((row) => make("tr", {}, ...cells(row))));
    }
  }

  cell(value, most) {
    const [low, middle, high] = this.colours;
    const share = Math.round(70 * Math.abs(value / most)); // dark words stay readable on it
    const background = `color-mix(in srgb, ${value < 0 ? low : high} ${share}%, ${middle})`;
    return make("td", { style: `background:${background}` }, value.toFixed(2).replace("-", "−"));
  }
}
