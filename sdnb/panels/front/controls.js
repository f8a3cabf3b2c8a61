// Buttons, how far what they began is, and what can be kept of it.

function actionButton(action, pressed) {
  const kind = action.kind || "plain";
  const button = make(
    "button",
    {
      ...{ type: "button", class: `sdnb-button sdnb-${kind}` },
      ...{ "data-do": action.do, "aria-pressed": action.pressed }, // pressed: one of several views
    },
    icon(ICONS[action.icon || action.do] || ""),
    make("span", {}, action.label)
  );
  button.addEventListener("click", () => {
    if (button.getAttribute("aria-disabled") !== "true") pressed(button, action);
  });
  return button;
}

function enable(button, is_on) {
  button.setAttribute("aria-disabled", is_on ? "false" : "true");
}

// Enables what can be done now; a button may have become another one meanwhile.
function enableAll(root, status) {
  const enabled = status.enabled || [];
  for (const button of root.querySelectorAll("button[data-do]")) {
    const renamed = (status.renamed || {})[button.dataset.do] || null;
    const is_on = enabled.includes(button.dataset.do);
    if (renamed) {
      button.dataset.do = renamed.do;
      button.lastChild.textContent = renamed.label;
      button.firstChild.replaceWith(icon(ICONS[renamed.do]));
    }
    enable(button, is_on || (renamed && enabled.includes(renamed.do)));
  }
}

// How far the run is, in words and as a bar, and what went wrong.
class Report {
  constructor() {
    this.headline = make("div", { class: "sdnb-headline", role: "status", "aria-live": "polite" });
    this.figures = make("div", { class: "sdnb-figures" });
    this.line = make("div", { class: "sdnb-line" }, this.headline, this.figures);
    this.bar = make("div", { class: "sdnb-bar", role: "progressbar", "aria-valuemin": 0 });
    this.bar.append(make("div", {}));
    this.alert = make("div", { class: "sdnb-alert", role: "alert" });
  }

  say(status, label) {
    if (this.headline.textContent !== status.headline) this.headline.textContent = status.headline;
    this.figures.textContent = status.figures;
    this.alert.textContent = status.alert || "";
    this.alert.hidden = !status.alert;
    this.line.hidden = this.bar.hidden = !("step" in status); // nothing runs here
    const { step = 0, total = null } = status;
    this.bar.setAttribute("aria-label", label);
    this.bar.setAttribute("aria-valuetext", `${status.headline} ${status.figures}`);
    if (total) {
      this.bar.setAttribute("aria-valuemax", total);
      this.bar.setAttribute("aria-valuenow", step);
    } else for (const name of ["max", "now"]) this.bar.removeAttribute(`aria-value${name}`);
    this.bar.firstChild.style.width = `${total ? (100 * step) / total : step ? 100 : 0}%`;
  }
}

// What to do with what was drawn: a row of buttons, and what became of it.
class Keeps {
  constructor(model, send) {
    this.model = model;
    this.send = send;
    this.buttons = make("div", { class: "sdnb-actions sdnb-keeps", role: "group" });
    this.said = make("div", { class: "sdnb-note", role: "status" });
    this.offered = make("div", {});
  }

  describe(pressed) {
    const press = (button, action) => {
      this.offered.replaceChildren();
      if (action.copies) this.copy(action.copies, button);
      else pressed(button, action);
    };
    this.buttons.setAttribute("aria-label", this.model.get("texts").keeps);
    const buttons = this.model.get("keeps").map((action) => actionButton(action, press));
    this.buttons.replaceChildren(...buttons);
  }

  say(status) {
    if (status.said !== this.lastSaid) this.said.textContent = this.lastSaid = status.said || "";
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
}
