// Points in the plane, side by side, each over the data, and a slider for the moments.

const UNIT = 4096; // of the numbers that points come in

class Clouds {
  constructor(board) {
    this.board = board;
    this.title = make("div", { class: "sdnb-label" });
    this.row = make("div", { class: "sdnb-clouds" });
    this.sliders = make("div", { class: "sdnb-sliders" });
    this.element = make("div", { class: "sdnb-figure" }, this.title, this.row, this.sliders);
  }

  show(view) {
    const is_last = !this.view || this.moment >= this.view.moments.length - 1;
    const last = view.moments.length - 1;
    const words = JSON.stringify([view.clouds, view.moments, view.moment]);
    this.view = view;
    this.moment = is_last ? last : Math.min(this.moment, last);
    const bytes = this.board.model.get("data");
    this.points = new Int16Array(
      bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + size(bytes))
    );
    if (words !== this.words) this.describe();
    this.words = words;
    this.draw();
  }

  describe() {
    const { title, clouds, moments, moment } = this.view;
    const turned = (stop) => {
      this.moment = stop;
      this.draw();
    };
    this.title.textContent = title;
    this.drawn = clouds.map(() => ({ data: shape("path"), cloud: shape("path") }));
    this.row.replaceChildren(...clouds.map((cloud, place) => this.figure(cloud, this.drawn[place])));
    const id = `${this.board.model.get("place")}-clouds`;
    const stops = moments.length > 1 ? [slider(id, moment, moments, this.moment, turned)] : [];
    keepFocus(this.sliders, () => this.sliders.replaceChildren(...stops));
  }

  figure({ label, colour }, drawn) {
    const { reach } = this.view;
    drawn.data.setAttribute("class", "sdnb-data");
    drawn.cloud.setAttribute("stroke", colour);
    const lines = [-2, -1, 0, 1, 2].flatMap((at) => [
      shape("line", { class: "sdnb-grid", x1: at, x2: at, y1: -reach, y2: reach }),
      shape("line", { class: "sdnb-grid", y1: at, y2: at, x1: -reach, x2: reach }),
    ]);
    const viewBox = `${-reach} ${-reach} ${2 * reach} ${2 * reach}`;
    drawn.svg = shape("svg", { viewBox, role: "img", class: "sdnb-cloud" }, ...lines);
    drawn.svg.append(drawn.data, drawn.cloud);
    const caption = make("figcaption", { class: "sdnb-caption" }, label);
    return make("figure", { class: "sdnb-figure" }, drawn.svg, caption);
  }

  draw() {
    const { clouds, moments } = this.view;
    clouds.forEach(({ alt }, place) => {
      const { svg, data, cloud } = this.drawn[place];
      data.setAttribute("d", this.dots(0));
      cloud.setAttribute("d", this.dots(1 + this.moment * clouds.length + place));
      svg.setAttribute("aria-label", `${alt}, ${moments[this.moment]}`);
    });
  }

  // Dots as lines of no length with round ends: one path, whatever their number.
  dots(place) {
    const { count } = this.view;
    const from = 2 * count * place;
    let path = "";
    for (let i = from; i < from + 2 * count; i += 2)
      path += `M${this.points[i] / UNIT} ${-this.points[i + 1] / UNIT}h0`;
    return path;
  }
}
