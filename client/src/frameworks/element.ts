// The element `<quayside-upload endpoint="https://upload.example.com" multiple>`: a button, a place to drop files, and a line for each.
// Where an upload needs more than an address, a token for example, its property `options` is set before the first file.
//
// Importing this module defines the element, where there is a page. It tells of itself by the event `quayside-change`, whose `detail` is
// the list; it is styled through its parts: `drop`, `list`, `item`, `bar`.

import type { UploadItem, UploadListOptions } from "./upload_list.ts";
import { UploadList } from "./upload_list.ts";

export type { UploadItem, UploadListOptions } from "./upload_list.ts";

const NAME = "quayside-upload";

/** Nothing, where there is no page: the module can be imported on a server. */
const Base = globalThis.HTMLElement ?? (class {} as typeof HTMLElement);

export class QuaysideUploadElement extends Base {
  /** Everything but `endpoint`, which the attribute says. */
  options: Omit<UploadListOptions, "endpoint"> = {};
  #list: UploadList | undefined;
  readonly #lines = new Map<number, { shown?: UploadItem; bar: HTMLProgressElement; says: HTMLElement }>();
  #lists: HTMLElement | undefined;

  get items(): readonly UploadItem[] {
    return this.#list?.items() ?? [];
  }

  connectedCallback(): void {
    if (this.shadowRoot !== null) {
      return;
    }
    const root = this.attachShadow({ mode: "open" });
    const drop = part("label", "drop");
    const input = document.createElement("input");
    input.type = "file";
    input.multiple = this.hasAttribute("multiple");
    input.accept = this.getAttribute("accept") ?? "";
    input.onchange = () => {
      this.add(input.files ?? []);
      input.value = "";
    };
    const label = document.createElement("slot");
    label.append("Choose files, or drop them here ");
    drop.append(label, input);
    drop.ondragover = (event) => event.preventDefault();
    drop.ondrop = (event) => {
      event.preventDefault();
      this.add(event.dataTransfer?.files ?? []);
    };
    this.#lists = part("ul", "list");
    this.#lists.setAttribute("aria-live", "polite");
    root.append(drop, this.#lists);
  }

  /** Uploads these. */
  add(files: Iterable<File> | ArrayLike<File>): void {
    this.#uploads().add(files);
  }

  #uploads(): UploadList {
    if (this.#list === undefined) {
      const endpoint = new URL(this.getAttribute("endpoint") ?? "", document.baseURI).href;
      this.#list = new UploadList({ ...this.options, endpoint });
      this.#list.subscribe(() => this.#show());
    }
    return this.#list;
  }

  #show(): void {
    for (const item of this.items) {
      const line = this.#lines.get(item.id) ?? this.#newLine(item.id, item.file);
      // An item never changes: what is shown already is left alone.
      if (line.shown !== item) {
        line.shown = item;
        line.bar.value = item.uploadedBytes;
        line.says.textContent = item.error?.message ?? item.state;
      }
    }
    this.dispatchEvent(new CustomEvent("quayside-change", { detail: this.items, bubbles: true, composed: true }));
  }

  #newLine(id: number, file: File): { shown?: UploadItem; bar: HTMLProgressElement; says: HTMLElement } {
    const line = part("li", "item");
    const bar = part("progress", "bar");
    bar.max = file.size || 1;
    bar.setAttribute("aria-label", file.name);
    const says = document.createElement("span");
    line.append(`${file.name} `, bar, " ", says);
    this.#lists?.append(line);
    const parts = { bar, says };
    this.#lines.set(id, parts);
    return parts;
  }
}

function part<Name extends keyof HTMLElementTagNameMap>(name: Name, part: string): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  element.setAttribute("part", part);
  return element;
}

if (globalThis.customElements?.get(NAME) === undefined) {
  globalThis.customElements?.define(NAME, QuaysideUploadElement);
}

declare global {
  interface HTMLElementTagNameMap {
    "quayside-upload": QuaysideUploadElement;
  }
}
