// A control of each kind. `value()` is what the server gets, `set` what an image brings along.
// `changed` tells the panel.

import { button, element } from "./ask.js";
import { picture } from "./picture.js";

let ids = 0;

function field(spec, input, ...others) {
  input.id ||= `control-${ids++}`;
  input.name = spec.name;
  const label = element("label", { htmlFor: input.id, textContent: spec.label });
  const hint = spec.hint ? [element("small", { textContent: spec.hint })] : [];
  return element("div", { className: "control" }, label, ...others, ...hint);
}

function slider(spec, changed) {
  const { low: min, high: max, step, value } = spec;
  const input = element("input", { type: "range", min, max, step, value });
  const shown = element("output");
  const show = () => (shown.textContent = step === 1 ? input.value : (+input.value).toFixed(2));
  input.oninput = () => (show(), changed());
  show();
  return { input, shown, show, row: element("div", { className: "slider" }, input, shown) };
}

function range(spec, changed) {
  const { input, row } = slider(spec, changed);
  return { element: field(spec, input, row), value: () => +input.value };
}

function number(spec, changed) {
  const input = element("input", { type: "number", step: spec.step, value: spec.value });
  input.onchange = changed;
  const value = () => (input.value === "" ? "" : +input.value);
  return { element: field(spec, input, input), value };
}

function text(spec, changed) {
  const input = element("input", { type: "text", value: spec.value, onchange: changed });
  return { element: field(spec, input, input), value: () => input.value };
}

function seed(spec, changed) {
  const { element: made } = text(spec, changed);
  const input = made.querySelector("input");
  input.inputMode = "numeric";
  input.spellcheck = false;
  const another = () => {
    input.value = crypto.getRandomValues(new Uint32Array(1))[0] >>> 1;
    changed();
  };
  const row = element("div", { className: "seed" });
  input.replaceWith(row);
  row.append(input, button("Another", another));
  return { element: made, value: () => input.value.trim(), set: (value) => (input.value = value) };
}

function flag(spec, changed) {
  const input = element("input", { type: "checkbox", checked: spec.value, onchange: changed });
  const made = field(spec, input);
  made.classList.add("flag");
  made.prepend(input);
  return { element: made, value: () => input.checked };
}

function choice(spec, changed) {
  const options = spec.options.map((name, i) => element("option", { value: i, textContent: name }));
  const input = element("select", { onchange: changed }, ...options);
  input.value = spec.value;
  return {
    element: field(spec, input, input),
    value: () => +input.value,
    set: (value) => (input.value = value),
  };
}

function ticks(spec, changed) {
  const boxes = spec.options.map(() => element("input", { type: "checkbox", onchange: changed }));
  const rows = boxes.map((box, i) => element("label", {}, box, spec.options[i]));
  const legend = element("legend", { textContent: spec.label });
  return {
    element: element("fieldset", { className: "control ticks" }, legend, ...rows),
    value: () => boxes.flatMap((box, i) => (box.checked ? [i] : [])),
  };
}

function sliders(spec, changed) {
  let touched = false;
  const moved = () => ((touched = true), changed());
  const empty = { low: -1, high: 1, step: "any", value: 0 };
  const rows = spec.labels.map((label) => {
    const made = slider(empty, moved);
    made.input.disabled = true;
    const name = { name: spec.name, label };
    return { ...made, element: field(name, made.input, made.row) };
  });
  const reset = () => (touched = false);
  const back = button("Back to the seed", () => (reset(), changed()));
  return {
    element: element("div", { className: "sliders" }, ...rows.map((row) => row.element), back),
    value: () => (touched ? rows.map((row) => +row.input.value) : null),
    reset,
    set({ low, high, at }) {
      if (touched) return;
      rows.forEach(({ input, show }, i) => {
        Object.assign(input, { min: low[i], max: high[i], value: at[i], disabled: false });
        show();
      });
    },
  };
}

export const controls = {
  range, number, text, seed, flag, choice, ticks, sliders, picture,
};
