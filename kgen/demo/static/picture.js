// An image to paint on, of the model's own size, and a hole in it.

import { ask, button, element } from "./ask.js";

const MAX_BYTES = 2 ** 26;
const SOURCES = { sample: "A sample", test: "A test image" };

// Canvases of one pixel each for the model's pixels, one above the other.
class Board {
  constructor({ width, height, hole }) {
    const canvas = (className) => element("canvas", { width, height, className });
    this.image = canvas("image");
    this.hole = canvas("hole");
    this.brush = Math.max(1, Math.round(Math.max(width, height) / 12));
    this.ink = "#ffffff";
    this.tool = hole ? "Hide" : "Draw";
    this.element = element("div", { className: "board" }, this.image, ...(hole ? [this.hole] : []));
    this.element.style.aspectRatio = `${width} / ${height}`;
    this.fill("#000000");
  }

  fill(color) {
    const context = this.image.getContext("2d");
    context.fillStyle = color;
    context.fillRect(0, 0, this.image.width, this.image.height);
  }

  hide(top, height) {
    const context = this.hole.getContext("2d");
    context.clearRect(0, 0, this.hole.width, this.hole.height);
    context.fillStyle = "#ffffff";
    context.fillRect(0, top, this.hole.width, height);
  }

  dab(x, y) {
    const start = -Math.floor(this.brush / 2);
    const square = [x + start, y + start, this.brush, this.brush];
    const context = (this.tool === "Draw" ? this.image : this.hole).getContext("2d");
    context.fillStyle = this.tool === "Draw" ? this.ink : "#ffffff";
    if (this.tool === "Show") context.clearRect(...square);
    else context.fillRect(...square);
  }

  stroke([x0, y0], [x1, y1]) {
    const steps = Math.max(1, Math.abs(x1 - x0), Math.abs(y1 - y0));
    for (let i = 0; i <= steps; i++) {
      this.dab(Math.round(x0 + ((x1 - x0) * i) / steps), Math.round(y0 + ((y1 - y0) * i) / steps));
    }
  }

  at({ clientX, clientY }) {
    const { left, top, width, height } = this.image.getBoundingClientRect();
    return [
      Math.floor(((clientX - left) / width) * this.image.width),
      Math.floor(((clientY - top) / height) * this.image.height),
    ];
  }

  listen(changed) {
    let last = null;
    this.element.onpointerdown = (event) => {
      this.element.setPointerCapture(event.pointerId);
      last = this.at(event);
      this.stroke(last, last);
    };
    this.element.onpointermove = (event) => {
      if (!last) return;
      const next = this.at(event);
      this.stroke(last, next);
      last = next;
    };
    this.element.onpointerup = this.element.onpointercancel = () => {
      if (last) changed();
      last = null;
    };
  }

  async load(src) {
    const loaded = element("img", { src });
    await loaded.decode();
    this.image.getContext("2d").drawImage(loaded, 0, 0);
  }

  mask() {
    const { width, height } = this.hole;
    const made = element("canvas", { width, height });
    const context = made.getContext("2d");
    context.fillRect(0, 0, width, height);
    context.drawImage(this.hole, 0, 0);
    return made.toDataURL();
  }
}

// The tools, of which one is pressed.
function toolbar(board, names) {
  const row = element("div", { className: "tools", role: "group" });
  const choose = (name) => {
    board.tool = name;
    for (const each of row.children) each.setAttribute("aria-pressed", each.textContent === name);
  };
  row.append(...names.map((name) => button(name, () => choose(name))));
  choose(board.tool);
  return row;
}

function brush(board, { width, height, grey }) {
  const max = Math.max(2, Math.ceil(Math.max(width, height) / 3));
  const size = element("input", { type: "range", min: 1, max, value: board.brush });
  size.oninput = () => (board.brush = +size.value);
  const ink = grey
    ? element("input", { type: "range", min: 0, max: 255, value: 255 })
    : element("input", { type: "color", value: board.ink });
  const hex = () => (+ink.value).toString(16).padStart(2, "0").repeat(3);
  ink.oninput = () => (board.ink = grey ? `#${hex()}` : ink.value);
  return element(
    "div",
    { className: "brush" },
    element("label", {}, "Brush", size),
    element("label", {}, grey ? "Ink, black to white" : "Ink", ink),
  );
}

function sources(spec, bring) {
  const example = (source) => () => bring(() => ask(`example?source=${source}`));
  const file = element("input", { type: "file", accept: "image/*", hidden: true });
  file.onchange = () => (bring(() => upload(spec, file.files[0])), (file.value = ""));
  return element(
    "div",
    { className: "tools" },
    ...spec.sources.map((source) => button(SOURCES[source], example(source))),
    button("Open a file", () => file.click()),
    file,
  );
}

function upload({ panel, name }, file) {
  if (file.size > MAX_BYTES) {
    throw new Error(`Expected a file of at most ${MAX_BYTES} bytes. Received: ${file.size} bytes`);
  }
  return ask(`image?panel=${panel}&control=${name}`, file);
}

export function picture(spec, changed, complain, classify) {
  const board = new Board(spec);
  let isNew = true;
  let coming = Promise.resolve();

  async function draw(answer) {
    await board.load(answer.src);
    if (answer.class !== undefined) classify(answer.class);
  }

  // Draws what a question brings, or says why it does not come.
  function bring(question) {
    isNew = false;
    const drawn = (async () => draw(await question()))();
    drawn.then(changed, complain);
    coming = drawn.catch(() => {});
  }

  async function first() {
    isNew = false;
    for (const source of spec.sources) {
      try {
        return await draw(await ask(`example?source=${source}`));
      } catch {} // the button says why
    }
  }

  board.listen(changed);
  board.element.ondragover = (event) => event.preventDefault();
  board.element.ondrop = (event) => {
    event.preventDefault();
    const [file] = event.dataTransfer.files;
    if (file) bring(async () => upload(spec, file));
  };
  const { height } = spec;
  const half = Math.ceil(height / 2);
  if (spec.hole) board.hide(half, height - half);
  const hide = (...rows) => () => (board.hide(...rows), changed());
  const tools = spec.hole
    ? [
        toolbar(board, ["Hide", "Show", "Draw"]),
        element(
          "div",
          { className: "tools" },
          element("span", { textContent: "Hidden:" }),
          button("lower half", hide(half, height - half)),
          button("all", hide(0, height)),
          button("nothing", hide(0, 0)),
        ),
      ]
    : [];
  const fill = button("Fill", () => (board.fill(board.ink), changed()));
  const ends = sources(spec, bring);
  ends.append(fill);
  const legend = element("legend", { textContent: spec.label });
  const parts = [legend, board.element, ends, ...tools, brush(board, spec)];
  return {
    element: element("fieldset", { className: "control picture" }, ...parts),
    set: (src) => ((isNew = false), (coming = board.load(src))),
    async value() {
      if (isNew) coming = first();
      await coming;
      const image = board.image.toDataURL();
      return spec.hole ? { image, mask: board.mask() } : { image };
    },
  };
}
