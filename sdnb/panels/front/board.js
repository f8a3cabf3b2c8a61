// The stage of labs that draw whole runs: what can be done, a film strip to choose a step, views.

class Board {
  constructor(model, send) {
    this.model = model;
    this.send = (message) => {
      for (const view of this.views.values()) view.flush?.();
      send(message);
    };
    this.views = new Map(); // by name
    this.index = null;
    const turn = (index) => index === null || this.turn(index, true);
    const look = (index) => send({ do: "look", index });
    this.strip = new Strip(model, () => model.get("texts"), turn, () => {}, look);
    this.actions = make("div", { class: "sdnb-actions", role: "group" });
    this.report = new Report();
    this.keeps = new Keeps(model, send);
    this.shown = make("div", { class: "sdnb-views" });
    const { line, bar, alert } = this.report;
    const head = make("div", { class: "sdnb-view" }, this.actions, line, bar, alert);
    this.element = make("div", { class: "sdnb-stage" }, head, this.strip.element, this.shown);
    this.element.append(this.keeps.buttons, this.keeps.said, this.keeps.offered);
  }

  get listeners() {
    return {
      "change:status": () => this.status(),
      "change:views": () => this.showViews(),
      "change:film": () => this.newFilm(),
    };
  }

  show() {
    this.showViews();
    this.newFilm();
  }

  settle() {
    for (const part of [this.actions, this.keeps.buttons]) part.remove();
  }

  describe() {
    this.actions.setAttribute("aria-label", this.model.get("texts").actions);
    const press = (button) => this.send({ do: button.dataset.do });
    const buttons = this.model.get("actions").map((action) => actionButton(action, press));
    this.actions.replaceChildren(...buttons);
    this.keeps.describe(press);
    this.keeps.buttons.hidden = !this.model.get("keeps").length;
    this.status();
    this.strip.say();
  }

  status() {
    const status = this.model.get("status");
    this.report.say(status, this.model.get("texts").progress);
    enableAll(this.element, status);
    this.keeps.say(status);
    this.element.dataset.phase = status.phase;
  }

  // A view that is there already is shown anew in its place: nothing jumps.
  showViews() {
    const described = this.model.get("views");
    const names = described.map((view) => view.name);
    for (const [name, view] of [...this.views]) {
      if (names.includes(name)) continue;
      view.element.remove();
      this.views.delete(name);
    }
    for (const each of described) {
      if (!this.views.has(each.name)) {
        const view = new VIEWS[each.kind](this);
        this.views.set(each.name, view);
        this.shown.append(view.element);
        view.element.classList.toggle("sdnb-wide", !each.is_half);
      }
      this.views.get(each.name).show(each);
    }
    if (this.index !== null) this.turn(this.index, false);
  }

  turn(index, is_chosen) {
    this.index = index;
    for (const view of this.views.values()) view.turn?.(index, is_chosen);
  }

  async closeup(index, bytes) {
    const image = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" }));
    this.strip.closeups.set(index, image);
    this.strip.draw();
    this.strip.say();
    if (this.index === index) this.turn(index, false);
  }

  // The step that is looked at stays in another run of as many; else it is the one that the film
  // says, or the last.
  async newFilm() {
    const kept = this.strip.count === this.count ? this.index : null;
    this.count = this.strip.count;
    this.strip.element.hidden = !this.count;
    await this.strip.reset();
    if (!this.count) return;
    this.strip.follow((kept ?? this.model.get("film").at ?? this.count - 1) + 1);
    this.turn(this.strip.index, false);
  }
}
