// A panel: form and stage, put where its output left a place; the picture kept there steps aside.

const STAGES = { studio: Stage, board: Board };
const VIEWS = { frame: Frame, pictures: Pictures, histogram: Histogram, levels: Levels, grids: Grids };

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
  // Keys that are typed here are nobody else's: x on a button would cut the cell. Lumino leaves
  // them alone below this attribute, if it listens before; but for saving and Escape.
  const is_common = (event) =>
    event.key === "Escape" || ((event.ctrlKey || event.metaKey) && event.key === "s");
  for (const kind of ["keydown", "keypress", "keyup"])
    element.addEventListener(kind, (event) => is_common(event) || event.stopPropagation());
  const guard = (event) =>
    element.toggleAttribute("data-lm-suppress-shortcuts", !is_common(event));
  window.addEventListener("keydown", guard, true);

  const describe = () => {
    const texts = model.get("texts");
    title.textContent = texts.title;
    about.textContent = texts.about;
    element.setAttribute("aria-label", texts.title);
    element.lang = texts.language;
    form.describe();
    stage.describe();
  };
  const heard = (message, buffers) => {
    if (message.do === "closeup") stage.closeup(message.index, buffers[0]);
  };
  const listeners = {
    "change:fields": describe,
    "change:values": () => form.values(),
    "change:errors": () => form.errors(),
    "change:notes": () => form.notes(),
    ...stage.listeners,
    "msg:custom": heard,
  };
  for (const [name, listener] of Object.entries(listeners)) model.on(name, listener);
  describe();
  stage.show();
  send({ do: "mounted" });
  const remove = () => {
    for (const [name, listener] of Object.entries(listeners)) model.off(name, listener);
    window.removeEventListener("keydown", guard, true);
    element.remove();
  };
  return { element, remove };
}

function initialize({ model }) {
  const place = model.get("place");
  const mounted = new Map();
  const mount = () => {
    for (const [node, { remove }] of mounted) {
      if (node.isConnected) continue;
      remove();
      mounted.delete(node);
    }
    for (const node of document.getElementsByClassName(place)) {
      if (mounted.has(node)) continue;
      const made = surface(model);
      mounted.set(node, made);
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
