// Fields: native controls with their label, hint and error; what is typed goes to the kernel.

const WAIT = 150; // milliseconds between the last key and the message

class Form {
  constructor(model, send) {
    this.model = model;
    this.send = send;
    this.controls = new Map();
    this.waiting = new Map();
    this.unheard = new Map(); // what was sent, until the kernel says it too
    this.opened = new Set();
    this.element = make("form", { class: "sdnb-form", novalidate: true });
    this.element.addEventListener("submit", (event) => event.preventDefault());
  }

  // Described anew: other words, or other fields. What was typed stays.
  describe() {
    this.controls.clear();
    const groups = this.model.get("fields").map((group) => this.group(group));
    keepFocus(this.element, () => this.element.replaceChildren(...groups));
    this.values();
    this.errors();
    this.notes();
  }

  group(group) {
    const rows = this.rows(group);
    if (!group.label) return make("div", { class: "sdnb-fields" }, ...rows);
    const summary = make("summary", {}, group.label);
    const inside = make("div", { class: "sdnb-fields" }, ...rows);
    const open = this.opened.has(group.name);
    const details = make("details", { class: "sdnb-group", open }, summary, inside);
    details.addEventListener("toggle", () =>
      this.opened[details.open ? "add" : "delete"](group.name)
    );
    return details;
  }

  // Errors stand under the whole row, however narrow their fields are.
  rows(group) {
    const rows = [];
    let [width, errors] = [0, []];
    for (const field of group.fields) {
      rows.push(this.field(field, group));
      errors.push(this.controls.get(field.name).error);
      width += field.span || 12;
      if (width < 12) continue;
      rows.push(...errors);
      [width, errors] = [0, []];
    }
    return [...rows, ...errors];
  }

  field(field, group) {
    const id = `${this.model.get("place")}-${field.name}`;
    const is_group = field.kind === "several"; // named by itself: a label is for one control
    const named = { for: is_group ? null : id, class: "sdnb-label" };
    const label = make(is_group ? "div" : "label", named, field.label);
    const note = make("div", { class: "sdnb-note", id: `${id}-note` });
    const error = make("div", { class: "sdnb-error", id: `${id}-error`, role: "alert" });
    const control = this.control(field, id);
    for (const input of [control.input, control.more])
      input?.setAttribute("aria-describedby", `${id}-note ${id}-error`);
    this.controls.set(field.name, { ...control, field, group, note, error });
    const place = `sdnb-field sdnb-kind-${field.kind} sdnb-span-${field.span || 12}`;
    return make("div", { class: place }, label, control.element || control.input, note);
  }

  control(field, id) {
    if (field.kind === "picture") return this.picture(field, id);
    if (field.kind === "choice" || field.kind === "axis") return this.choice(field, id);
    if (field.kind === "several") return this.several(field, id);
    if (field.kind === "check") return this.check(field, id);
    const common = { id, name: field.name, autocomplete: "off", spellcheck: "false" };
    const input =
      field.kind === "text"
        ? make("textarea", { ...common, rows: field.rows || 2, placeholder: field.hint })
        : make("input", {
            ...common,
            type: field.kind === "number" ? "number" : "text",
            inputmode: field.kind === "number" ? "decimal" : null,
            min: field.min,
            max: field.max,
            step: field.step || "any",
            placeholder: field.hint,
          });
    const typed = () => this.typed(field.name, this.written(input));
    input.addEventListener("input", () => this.later(field.name, typed));
    input.addEventListener("change", () => this.now(field.name, typed));
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        this.flush();
        this.send({ do: this.model.get("main") });
      }
    });
    const write = (value) => {
      const text = value === null || value === undefined ? "" : String(value);
      if (input.value !== text) input.value = text;
    };
    return { input, write };
  }

  // A number field that cannot read what stands there has no value: an error, not the default.
  written(input) {
    return input.validity && input.validity.badInput ? "?" : input.value;
  }

  choice(field, id) {
    const options = field.options.map(([value, text]) => make("option", { value }, text));
    const input = make("select", { id, name: field.name }, ...options);
    if (!field.has_options) {
      input.addEventListener("change", () => this.typed(field.name, input.value));
      return { input, write: (value) => (input.value = value) };
    }
    const label = field.options_label || fill(this.model.get("texts").options_of, { name: field.label });
    const offered = make("datalist", { id: `${id}-offered` });
    const more = make("input", {
      type: "text",
      "aria-label": label,
      spellcheck: "false",
      autocomplete: "off",
      list: offered.id,
    });
    const typed = () => this.typed(field.name, `${input.value} ${more.value}`.trim());
    input.addEventListener("change", () => {
      more.value = "";
      typed();
    });
    more.addEventListener("input", () => this.later(field.name, typed));
    more.addEventListener("change", () => this.now(field.name, typed));
    const write = (value) => {
      const [name, ...rest] = String(value).split(" ");
      if (![...input.options].some((option) => option.value === name))
        input.append(make("option", { value: name }, name));
      input.value = name;
      if (document.activeElement !== more) more.value = rest.join(" ");
    };
    const element = make("div", { class: "sdnb-choice-row" }, input, more, offered);
    return { input, more, offered, write, element };
  }

  // Names to be pressed, any number of them: a value is a list of [name, whether it is chosen].
  several(field, id) {
    const input = make("div", { id, class: "sdnb-several", role: "group", "aria-label": field.label });
    let values = [];
    const press = (place) => {
      values = values.map(([name, is_on], i) => [name, i === place ? !is_on : is_on]);
      draw();
      this.typed(field.name, values);
    };
    const draw = () => {
      values.forEach(([name, is_on], place) => {
        const button = input.children[place] || make("button", { type: "button", class: "sdnb-small" });
        if (!button.parentNode) {
          button.addEventListener("click", () => press(place));
          input.append(button);
        }
        if (button.textContent !== name) button.textContent = name;
        button.setAttribute("aria-pressed", is_on ? "true" : "false");
      });
      while (input.children.length > values.length) input.lastChild.remove();
    };
    const write = (value) => {
      values = value;
      draw();
    };
    return { input, write };
  }

  check(field, id) {
    const input = make("input", { id, name: field.name, type: "checkbox" });
    input.addEventListener("change", () => this.typed(field.name, input.checked));
    return { input, write: (value) => (input.checked = value) };
  }

  picture(field, id) {
    const input = make("input", {
      id,
      type: "file",
      accept: "image/png,image/jpeg,image/webp",
      class: "sdnb-file",
    });
    const thumb = make("img", { class: "sdnb-thumb", hidden: true, alt: field.label });
    const remove = make(
      "button",
      { type: "button", class: "sdnb-small", hidden: true },
      fill(this.model.get("texts").remove, { name: field.label })
    );
    const load = async (file) => {
      if (!file) return;
      const bytes = await file.arrayBuffer();
      this.model.send({ do: "picture", name: field.name }, undefined, [new DataView(bytes)]);
    };
    input.addEventListener("change", () => load(input.files[0]));
    remove.addEventListener("click", () => {
      input.value = "";
      this.typed(field.name, null);
      input.focus();
    });
    const element = make("div", { class: "sdnb-drop" }, thumb, input, remove);
    element.addEventListener("dragover", (event) => event.preventDefault());
    element.addEventListener("drop", (event) => {
      event.preventDefault();
      load(event.dataTransfer.files[0]);
    });
    const write = (value) => {
      thumb.hidden = remove.hidden = !value;
      if (value) thumb.src = value;
      else thumb.removeAttribute("src");
    };
    return { input, write, element };
  }

  later(name, typed) {
    clearTimeout(this.waiting.get(name)?.timer);
    const timer = setTimeout(() => this.now(name, typed), WAIT);
    this.waiting.set(name, { timer, typed });
  }

  now(name, typed) {
    clearTimeout(this.waiting.get(name)?.timer);
    this.waiting.delete(name);
    typed();
  }

  flush() {
    for (const [name, { typed }] of [...this.waiting]) this.now(name, typed);
  }

  typed(name, value) {
    if (this.unheard.has(name) || !this.isSaid(name, value)) this.unheard.set(name, value);
    this.send({ do: "type", name, value });
  }

  isSaid(name, value) {
    return String(this.model.get("values")[name] ?? "") === String(value ?? "");
  }

  // What somebody is typing is not written over.
  values() {
    const values = this.model.get("values");
    for (const [name, value] of this.unheard) if (this.isSaid(name, value)) this.unheard.delete(name);
    for (const [name, { write }] of this.controls) {
      const is_typed = this.waiting.has(name) || this.unheard.has(name);
      if (name in values && !is_typed) write(values[name]);
    }
  }

  errors() {
    const errors = this.model.get("errors");
    for (const [name, { input, error, field, group }] of this.controls) {
      const said = errors[name] ? `${field.label}: ${errors[name]}` : "";
      if (error.textContent !== said) error.textContent = said;
      if (said) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
      if (said && group.label) input.closest("details").open = true;
    }
  }

  // Beside a field: how many tokens, which words nobody knows, what options there are.
  notes() {
    const notes = this.model.get("notes");
    for (const [name, { note, more, offered }] of this.controls) {
      const said = notes[name] || {};
      note.replaceChildren();
      if (said.room) {
        const share = Math.min(1, said.count / said.room);
        const bar = make("span", { class: "sdnb-meter", "aria-hidden": "true" });
        bar.append(make("span", { style: `width:${100 * share}%` }));
        note.append(bar, make("span", {}, said.text));
      } else if (said.text) note.append(make("span", {}, said.text));
      if (said.marked && said.marked.length) {
        const words = said.marked.flatMap((word) => [make("mark", {}, word), " "]);
        note.append(make("span", { class: "sdnb-unknown" }, `${said.about} `, ...words));
      }
      if (more && said.placeholder !== undefined) more.placeholder = said.placeholder;
      if (said.offered)
        offered.replaceChildren(...said.offered.map((value) => make("option", { value })));
    }
  }
}
