// A page made of what the server says of a model: panels, and their controls.

import { ask, button, element } from "./ask.js";
import { controls } from "./controls.js";

const panels = [];

class Panel {
  constructor(spec) {
    this.spec = spec;
    this.isBusy = this.isStale = this.wasOpen = false;
    this.controls = new Map();
    const form = element("form", { onsubmit: (event) => event.preventDefault() });
    const isPair = spec.controls.filter((each) => each.kind === "picture").length === 2;
    form.classList.toggle("pair", isPair);
    for (const each of spec.controls) {
      const changed = () => this.changed(each);
      const at = { ...each, panel: spec.name };
      const made = controls[each.kind](at, changed, this.complain, this.classify);
      this.controls.set(each.name, made);
      form.append(made.element);
    }
    this.message = element("p", { className: "message", role: "alert", hidden: true });
    this.images = element("div", { className: "images" });
    this.picked = element("div", { className: "picked", hidden: true });
    const main = button(spec.title, () => this.run(), { className: "main", hidden: spec.live });
    const shown = [main, this.message, this.images, this.picked];
    this.shown = element("div", { className: "shown" }, ...shown);
    const hint = element("p", { className: "hint", textContent: spec.hint });
    const columns = element("div", { className: "columns" }, form, this.shown);
    const id = `panel-${spec.name}`;
    this.element = element("section", { id, role: "tabpanel", hidden: true }, hint, columns);
    this.tab = button(spec.title, () => open(this), { role: "tab", id: `tab-${spec.name}` });
    this.tab.setAttribute("aria-controls", id);
    this.element.setAttribute("aria-labelledby", this.tab.id);
  }

  changed(spec) {
    if (spec.kind === "seed") for (const each of this.controls.values()) each.reset?.();
    if (this.spec.live && this.wasOpen) this.run();
  }

  // One question at a time: what changes meanwhile is asked at the end, once.
  async run() {
    this.isStale = true;
    if (this.isBusy) return;
    this.isBusy = true;
    this.shown.setAttribute("aria-busy", "true");
    while (this.isStale) {
      this.isStale = false;
      try {
        this.show(await ask(`make?panel=${this.spec.name}`, JSON.stringify(await this.values())));
        this.complain(null);
      } catch (error) {
        this.complain(error);
      }
    }
    this.isBusy = false;
    this.shown.removeAttribute("aria-busy");
  }

  async values() {
    const found = {};
    for (const [name, control] of this.controls) found[name] = await control.value();
    return found;
  }

  show({ images, columns, values }) {
    this.images.style.setProperty("--columns", Math.min(columns, images.length));
    this.images.style.setProperty("--size", `${Math.min(256, 640 / columns)}px`);
    this.images.replaceChildren(...images.map((image) => this.figure(image)));
    this.picked.replaceChildren("A click on an image takes it along to another tab.");
    this.picked.hidden = !this.images.querySelector("button");
    for (const [name, value] of Object.entries(values)) this.controls.get(name).set(value);
  }

  figure(image) {
    const shown = element("img", { src: image.src, alt: image.caption ?? "", draggable: false });
    const made = element("figure", {}, shown);
    if (image.caption) made.append(element("figcaption", { textContent: image.caption }));
    const ways = [...waysFor(image, this)];
    if (!ways.length) return made;
    const pick = button("", () => this.pick(pick, image, ways), { title: "Take it along" });
    shown.replaceWith(pick);
    pick.append(shown);
    return made;
  }

  pick(pick, image, ways) {
    for (const each of this.images.querySelectorAll(".chosen")) each.classList.remove("chosen");
    pick.classList.add("chosen");
    const seed = image.seed === undefined ? "This image" : `Seed ${image.seed}`;
    this.picked.replaceChildren(`${seed} to`, ...ways);
  }

  classify = (label) => this.controls.get("condition").set(label);

  complain = (error) => {
    this.message.hidden = error === null;
    this.message.textContent = error?.message ?? "";
    this.shown.classList.toggle("failed", error !== null);
  };
}

// Buttons that take an image to a control of another panel.
function* waysFor(image, from) {
  for (const panel of panels) {
    for (const spec of panel === from ? [] : panel.spec.controls) {
      const isSeed = spec.kind === "seed" && spec.picks && image.seed !== undefined;
      const isPicture = spec.kind === "picture" && spec.sources.length;
      if (!isSeed && !isPicture) continue;
      const ends = panel.spec.controls.filter((each) => each.kind === spec.kind && each !== spec);
      const title = ends.length ? `${panel.spec.title}: ${spec.label}` : panel.spec.title;
      yield button(title, () => take(image, isSeed ? image.seed : image.src, panel, spec));
    }
  }
}

function take(image, value, panel, spec) {
  panel.controls.get(spec.name).set(value);
  if (image.class !== undefined) panel.controls.get("condition")?.set(image.class);
  const wasOpen = panel.wasOpen;
  open(panel);
  if (wasOpen) panel.changed(spec);
}

function open(panel) {
  for (const each of panels) {
    each.element.hidden = each !== panel;
    each.tab.setAttribute("aria-selected", each === panel);
    each.tab.tabIndex = each === panel ? 0 : -1;
  }
  if (panel.wasOpen) return;
  panel.wasOpen = true;
  panel.run();
}

function move(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const at = panels.findIndex((panel) => !panel.element.hidden);
  const next = panels[(at + step + panels.length) % panels.length];
  open(next);
  next.tab.focus();
}

const about = await (await fetch("about")).json();
document.title = `${about.name} · kgen`;
document.querySelector("#name").textContent = about.name;
document.querySelector("#facts").textContent = about.facts.join(" · ");
for (const spec of about.panels) panels.push(new Panel(spec));
const tabs = document.querySelector("#tabs");
tabs.append(...panels.map((panel) => panel.tab));
tabs.onkeydown = move;
document.querySelector("#panels").replaceChildren(...panels.map((panel) => panel.element));
open(panels[0]);
