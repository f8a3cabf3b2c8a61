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
    this.bar = make("div", { class: "sdnb-bar", role: "progressbar", "aria-valuemin": 0 });
    this.bar.append(make("div", {}));
    this.headline = make("div", { class: "sdnb-headline", role: "status", "aria-live": "polite" });
    this.figures = make("div", { class: "sdnb-figures" });
    this.alert = make("div", { class: "sdnb-alert", role: "alert" });
    this.actions = make("div", { class: "sdnb-actions", role: "group" });
    this.moments = make("div", { class: "sdnb-actions", role: "group" });
    this.changes = make("div", { class: "sdnb-note sdnb-changes" });
    this.keeps = make("div", { class: "sdnb-actions sdnb-keeps", role: "group" });
    this.said = make("div", { class: "sdnb-note", role: "status" });
    const line = make("div", { class: "sdnb-line" }, this.headline, this.figures);
    const picture = make("div", { class: "sdnb-view" }, this.box, this.caption, line, this.bar);
    this.film = make("div", {}, this.strip.element, this.moments, this.changes);
    this.element = make("div", { class: "sdnb-stage" }, picture, this.actions, this.alert);
    this.offered = make("div", {});
    this.element.append(this.film, this.keeps, this.said, this.offered);
  }

  describe() {
    const texts = this.model.get("texts");
    this.actions.setAttribute("aria-label", texts.actions);
    this.moments.setAttribute("aria-label", texts.moments);
    this.keeps.setAttribute("aria-label", texts.keeps);
    this.bar.setAttribute("aria-label", texts.progress);
    this.empty.textContent = texts.empty;
    const button = (action) => this.button(action);
    this.actions.replaceChildren(...this.model.get("actions").map(button));
    this.keeps.replaceChildren(...this.model.get("keeps").map(button));
    const moments = [
      { do: "rewind", label: "", at: true },
      { do: "branch", label: "", at: true },
    ];
    this.moments.replaceChildren(...moments.map(button));
    this.status();
    this.strip.say();
  }

  button(action) {
    const text = make("span", {}, action.label);
    const button = make(
      "button",
      { type: "button", class: `sdnb-button sdnb-${action.kind || "plain"}`, "data-do": action.do },
      icon(ICONS[action.icon || action.do] || ""),
      text
    );
    button.addEventListener("click", () => {
      if (button.getAttribute("aria-disabled") === "true") return;
      this.offered.replaceChildren();
      if (action.copies) this.copy(action.copies, button);
      else if (action.at) this.go(action.do, this.strip.index);
      else {
        this.strip.leave();
        this.send({ do: button.dataset.do });
      }
    });
    return button;
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

  async copy(what, button) {
    const text = this.model.get("clips")[what];
    this.send({ do: "copied" });
    try {
      await navigator.clipboard.writeText(text);
      this.said.textContent = this.model.get("texts").copied;
    } catch {
      this.offer(text, button); // no clipboard here: the text, selected
    }
  }

  offer(text, button) {
    const area = make("textarea", { rows: 4, readonly: true, class: "sdnb-offer" }, text);
    area.setAttribute("aria-label", button.textContent);
    this.offered.replaceChildren(area);
    area.focus();
    area.select();
  }

  status() {
    const status = this.model.get("status");
    const texts = this.model.get("texts");
    if (this.headline.textContent !== status.headline) this.headline.textContent = status.headline;
    this.figures.textContent = status.figures;
    this.alert.textContent = status.alert || "";
    this.alert.hidden = !status.alert;
    const { step = 0, total = null } = status;
    this.bar.setAttribute("aria-valuetext", `${status.headline} ${status.figures}`);
    if (total) {
      this.bar.setAttribute("aria-valuemax", total);
      this.bar.setAttribute("aria-valuenow", step);
    } else for (const name of ["max", "now"]) this.bar.removeAttribute(`aria-value${name}`);
    this.bar.firstChild.style.width = `${total ? (100 * step) / total : step ? 100 : 0}%`;
    for (const button of this.element.querySelectorAll("button[data-do]")) {
      const renamed = (status.renamed || {})[button.dataset.do] || null;
      const is_on = (status.enabled || []).includes(button.dataset.do);
      if (renamed) {
        button.dataset.do = renamed.do;
        button.lastChild.textContent = renamed.label;
        button.firstChild.replaceWith(icon(ICONS[renamed.do]));
      }
      this.enable(button, is_on || (renamed && status.enabled.includes(renamed.do)));
    }
    this.changes.textContent = status.changes || "";
    if (status.said !== this.lastSaid) this.said.textContent = this.lastSaid = status.said || "";
    if (status.phase === "running" && this.element.dataset.phase !== "running") this.strip.leave();
    this.element.dataset.phase = status.phase;
    if (status.phase !== "running" && step !== this.lastStep) this.strip.follow(step);
    this.lastStep = step;
    this.momentsOf(texts);
  }

  enable(button, is_on) {
    button.setAttribute("aria-disabled", is_on ? "false" : "true");
  }

  momentsOf(texts) {
    const [rewind, branch] = this.moments.children;
    if (!rewind) return;
    const step = (this.strip.count && this.strip.index !== null) ? this.strip.index + 1 : null;
    const is_on = this.canGo(this.strip.count ? this.strip.index : null);
    rewind.lastChild.textContent = fill(texts.rewind_to, { step: step ?? "–" });
    branch.lastChild.textContent = fill(texts.branch_from, { step: step ?? "–" });
    this.enable(rewind, is_on);
    this.enable(branch, is_on);
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
