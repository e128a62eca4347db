// Without a framework. The same in HTML: <quayside-upload endpoint="https://upload.example.com" multiple></quayside-upload>

import "quayside-client/element";

export function show(endpoint) {
  const element = document.createElement("quayside-upload");
  element.setAttribute("endpoint", endpoint);
  element.setAttribute("multiple", "");
  // What an upload needs more than an address: element.options = { headers: async () => ({ Authorization: `Bearer ${await token()}` }) };
  element.addEventListener("quayside-change", ({ detail: items }) => {
    document.title = `${items.filter(({ state }) => state === "completed").length} of ${items.length} uploaded`;
  });
  document.body.append(element);
}
