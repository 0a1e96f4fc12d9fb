// What every part of the page needs: elements, and questions to the server.

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

export function button(text, onclick, properties = {}) {
  return element("button", { type: "button", textContent: text, onclick, ...properties });
}

export async function ask(path, body = "") {
  const headers = { "Content-Type": "application/octet-stream" };
  let response, answer;
  try {
    response = await fetch(path, { method: "POST", headers, body });
    answer = await response.json();
  } catch {
    throw new Error("The server does not answer: has `kgen demo` ended?");
  }
  if (!response.ok) throw new Error(answer.error);
  return answer;
}
