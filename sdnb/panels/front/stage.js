// The picture, how far the run is, what can be done, and the film strip under it.

class Stage {
  constructor(model, send) {
    this.model = model;
    this.send = send;
    const texts = () => model.get("texts");
    this.strip = new Strip(
      model,
      texts,
      (index) => this.scrub(index),
      (index) => this.go("rewind", index),
      (index) => send({ do: "look", index })
    );
    this.image = make("img", { class: "sdnb-picture", alt: "", hidden: true });
    this.frame = make("canvas", { class: "sdnb-frame", role: "img", hidden: true });
    this.empty = make("div", { class: "sdnb-empty" });
    this.box = make("div", { class: "sdnb-box" }, this.empty, this.image, this.frame);
    this.caption = make("div", { class: "sdnb-caption" });
    this.report = new Report();
    this.actions = make("div", { class: "sdnb-actions", role: "group" });
    this.moments = make("div", { class: "sdnb-actions", role: "group" });
    this.changes = make("div", { class: "sdnb-note sdnb-changes" });
    this.keeps = new Keeps(model, send);
    const { line, bar, alert } = this.report;
    const picture = make("div", { class: "sdnb-view" }, this.box, this.caption, line, bar);
    this.film = make("div", {}, this.strip.element, this.moments, this.changes);
    this.element = make("div", { class: "sdnb-stage" }, picture, this.actions, alert);
    this.element.append(this.film, this.keeps.buttons, this.keeps.said, this.keeps.offered);
  }

  get listeners() {
    return {
      "change:status": () => this.status(),
      "change:picture": () => this.picture(),
      "change:about": () => this.about(),
      "change:film": () => this.newFilm(),
    };
  }

  // All there is to see, on a page that was just opened.
  show() {
    this.picture();
    this.newFilm();
  }

  // A page without a kernel: nothing can be done.
  settle() {
    for (const part of [this.actions, this.moments, this.keeps.buttons]) part.remove();
  }

  describe() {
    const texts = this.model.get("texts");
    this.actions.setAttribute("aria-label", texts.actions);
    this.moments.setAttribute("aria-label", texts.moments);
    this.empty.textContent = texts.empty;
    const button = (action) => actionButton(action, (...what) => this.press(...what));
    this.actions.replaceChildren(...this.model.get("actions").map(button));
    this.keeps.describe((...what) => this.press(...what));
    const moments = [
      { do: "rewind", label: "", at: true },
      { do: "branch", label: "", at: true },
    ];
    this.moments.replaceChildren(...moments.map(button));
    this.status();
    this.strip.say();
  }

  press(button, action) {
    this.keeps.offered.replaceChildren();
    if (action.at) this.go(action.do, this.strip.index);
    else {
      this.strip.leave();
      this.send({ do: button.dataset.do });
    }
  }

  go(what, index) {
    if (!this.canGo(index)) return;
    this.strip.leave();
    this.send({ do: what, step: index + 1 });
  }

  // While a run goes on, the film is that of the one before.
  canGo(index) {
    const { first = 0, reach = 0 } = this.model.get("film");
    const is_there = index !== null && first <= index + 1 && index + 1 <= reach;
    return is_there && this.model.get("status").phase !== "running";
  }

  status() {
    const status = this.model.get("status");
    const texts = this.model.get("texts");
    this.report.say(status, texts.progress);
    enableAll(this.element, status);
    const { step = 0 } = status;
    this.changes.textContent = status.changes || "";
    this.keeps.say(status);
    if (status.phase === "running" && this.element.dataset.phase !== "running") this.strip.leave();
    this.element.dataset.phase = status.phase;
    if (status.phase !== "running" && step !== this.lastStep) this.strip.follow(step);
    this.lastStep = step;
    this.momentsOf(texts);
  }

  momentsOf(texts) {
    const [rewind, branch] = this.moments.children;
    if (!rewind) return;
    const step = (this.strip.count && this.strip.index !== null) ? this.strip.index + 1 : null;
    const is_on = this.canGo(this.strip.count ? this.strip.index : null);
    rewind.lastChild.textContent = fill(texts.rewind_to, { step: step ?? "–" });
    branch.lastChild.textContent = fill(texts.branch_from, { step: step ?? "–" });
    enable(rewind, is_on);
    enable(branch, is_on);
  }

  // The last good picture stays until there is another.
  picture() {
    const bytes = this.model.get("picture");
    this.image.hidden = !size(bytes);
    this.empty.hidden = Boolean(size(bytes));
    this.about();
    if (!size(bytes)) return;
    const before = this.image.src;
    this.image.src = url(bytes);
    this.image.decode().then(
      () => {
        if (before) URL.revokeObjectURL(before);
        this.send({ do: "drawn" });
      },
      () => this.send({ do: "drawn" })
    );
  }

  // What the picture is: of the same one too, in another language or at the end of its run.
  about() {
    const { alt, caption, width, height, is_sketch } = this.model.get("about");
    this.box.style.aspectRatio = `${width || 1} / ${height || 1}`;
    this.box.style.setProperty("--sdnb-share", (width || 1) / (height || 1));
    this.image.classList.toggle("sdnb-is-sketch", Boolean(is_sketch));
    this.image.alt = alt || "";
    this.said_caption = caption || "";
    if (this.frame.hidden) this.caption.textContent = this.said_caption;
  }

  scrub(index) {
    this.momentsOf(this.model.get("texts"));
    const source = index === null ? null : this.strip.source(index);
    this.frame.hidden = !source;
    if (!source) {
      this.caption.textContent = this.said_caption || "";
      return;
    }
    const [, , , width, height] = source;
    Object.assign(this.frame, { width: width * 2, height: height * 2 });
    const context = this.frame.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(...source, 0, 0, width * 2, height * 2);
    this.caption.textContent = this.strip.caption(index);
    this.frame.setAttribute("aria-label", this.strip.caption(index));
  }

  async closeup(index, bytes) {
    const image = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" }));
    this.strip.closeups.set(index, image);
    this.strip.draw();
    if (this.strip.isShowing && this.strip.index === index) this.scrub(index);
    this.strip.say();
  }

  async newFilm() {
    const was = this.strip.isShowing;
    const index = this.strip.index;
    const count = this.strip.lastCount;
    this.strip.lastCount = this.strip.count;
    if (!was) this.scrub(null);
    await this.strip.reset();
    if (was && index !== null && count === this.strip.count) this.strip.point(index);
    else this.scrub(null);
    this.momentsOf(this.model.get("texts"));
  }
}
