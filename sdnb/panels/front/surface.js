// A panel: form and stage, put where its output left a place; the picture kept there steps aside.

const STAGES = { studio: Stage, board: Board };
const VIEWS = {
  ...{ frame: Frame, pictures: Pictures, histogram: Histogram, levels: Levels, grids: Grids },
  ...{ facts: Facts, sums: Sums, curve: Curve, lines: Lines, clouds: Clouds },
  ...{ cells: Cells, still: Still, question: Question, gallery: Gallery, entry: Entry },
  ...{ tokens: Tokens },
};

const PATIENCE = 500; // milliseconds that an output which is drawn anew may be gone

function surface(model) {
  const send = (message) => model.send(message);
  const form = new Form(model, send);
  const stage = new STAGES[model.get("stage")](model, (message) => {
    form.flush();
    send(message);
  });
  const title = make("h2", { class: "sdnb-title" });
  const about = make("span", { class: "sdnb-about" });
  const head = make("div", { class: "sdnb-head" }, title, about);
  const body = make("div", { class: "sdnb-body" }, form.element, stage.element);
  const element = make("section", { class: "sdnb-surface" });
  element.append(head, body);
  const guests = make("div", {}); // other panels that this one opened
  const whole = make("div", {}, element, guests);
  // Keys that are typed here are nobody else's: x on a button would cut the cell. Lumino leaves
  // them alone below this attribute, if it listens before; but for saving and Escape.
  const is_common = (event) =>
    event.key === "Escape" || ((event.ctrlKey || event.metaKey) && event.key === "s");
  for (const kind of ["keydown", "keypress", "keyup"])
    element.addEventListener(kind, (event) => is_common(event) || event.stopPropagation());
  const guard = (event) =>
    element.toggleAttribute("data-lm-suppress-shortcuts", !is_common(event));
  window.addEventListener("keydown", guard, true);

  // Words and fields are made anew: whoever stood on one stands there again.
  const describe = () => {
    const focused = element.contains(document.activeElement) ? document.activeElement : null;
    const again = focused?.id ? `[id="${focused.id}"]` : `[data-do="${focused?.dataset.do}"]`;
    const texts = model.get("texts");
    title.textContent = texts.title;
    about.textContent = texts.about;
    element.setAttribute("aria-label", texts.title);
    element.lang = texts.language;
    form.describe();
    stage.describe();
    if (focused && !focused.isConnected) element.querySelector(again)?.focus();
  };
  const host = () => {
    const known = [...guests.children].map((guest) => guest.className);
    for (const guest of model.get("guests"))
      if (!known.includes(guest)) guests.append(make("div", { class: guest }));
  };
  const heard = (message, buffers) => {
    if (message.do === "closeup") stage.closeup(message.index, buffers[0]);
    if (message.do === "look at") lookAt(message.place);
  };
  const listeners = {
    "change:fields": describe,
    "change:values": () => form.values(),
    "change:errors": () => form.errors(),
    "change:notes": () => form.notes(),
    "change:guests": host,
    ...stage.listeners,
    "msg:custom": heard,
  };
  for (const [name, listener] of Object.entries(listeners)) model.on(name, listener);
  describe();
  stage.show();
  host();
  send({ do: "mounted" });
  const remove = () => {
    for (const [name, listener] of Object.entries(listeners)) model.off(name, listener);
    window.removeEventListener("keydown", guard, true);
    whole.remove();
  };
  return { element: whole, remove };
}

// Another panel, as soon as it stands on the page: its script may be on its way.
function lookAt(place, patience = 50) {
  const [node] = document.getElementsByClassName(place);
  if (node && node.firstChild) node.scrollIntoView({ block: "nearest", behavior: "smooth" });
  else if (patience) setTimeout(lookAt, 100, place, patience - 1);
}

function initialize({ model }) {
  const place = model.get("place");
  const mounted = new Map();
  // An output that was cleared, while its cell is there, ends the panel; a cell that was scrolled
  // away comes back.
  const ended = (area) => {
    if (area.isConnected && !document.getElementsByClassName(place).length)
      model.send({ do: "cleared" });
  };
  const mount = () => {
    for (const [node, { remove, area }] of mounted) {
      if (node.isConnected) continue;
      remove();
      mounted.delete(node);
      if (area && area.isConnected) setTimeout(ended, PATIENCE, area);
    }
    for (const node of document.getElementsByClassName(place)) {
      if (mounted.has(node)) continue;
      const made = surface(model);
      mounted.set(node, { ...made, area: node.closest(".jp-OutputArea") });
      node.replaceChildren(made.element);
    }
    for (const kept of document.getElementsByClassName(`${place}-kept`))
      if (kept.style.display !== "none") kept.style.display = "none";
  };
  const unmount = () => {
    observer.disconnect();
    model.off("comm_live_update", unmount);
    for (const { remove } of mounted.values()) remove();
    for (const kept of document.getElementsByClassName(`${place}-kept`)) kept.style.display = "";
  };
  const observer = new MutationObserver(mount);
  observer.observe(document.documentElement, { childList: true, subtree: true });
  model.on("comm_live_update", unmount); // the kernel was restarted, or is gone
  mount();
  return unmount;
}

function render({ model, el }) {
  const { element, remove } = surface(model);
  el.append(element);
  return remove;
}

// A page without a kernel: the stage alone.
function page(el, state) {
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const data = { picture: bytes(state.picture), strip: bytes(state.strip), data: bytes(state.data) };
  const kept = { ...state, ...data };
  const model = { get: (name) => kept[name], on() {}, off() {}, send() {} };
  const stage = new STAGES[state.stage](model, () => {});
  stage.describe();
  stage.show();
  stage.settle();
  el.append(stage.element);
}

export default { initialize, render };
