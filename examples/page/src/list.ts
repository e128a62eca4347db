// The order of the list: what is on its way, then what somebody is wanted for, then what waits, in the order in which it was
// added, and at the end what has arrived, the last one first.

import { make } from "./elements.ts";
import type { Journey } from "./journey.ts";

const GROUPS = ["active", "wanted", "waiting", "done"] as const;
type Group = (typeof GROUPS)[number];

export function groupOf({ stage, isOver }: Pick<Journey, "stage" | "isOver">): Group {
  if (isOver) {
    return "done";
  }
  if (stage === "failed" || stage === "undelivered" || stage === "missing") {
    return "wanted";
  }
  return stage === "ready" || stage === "waiting" ? "waiting" : "active";
}

export class OrderedList {
  readonly #list: Element;
  /** One at the end of each group; the last group has one at its beginning. */
  readonly #ends = new Map<Group, HTMLElement>();
  readonly #groups = new WeakMap<Element, Group>();

  constructor(list: Element) {
    this.#list = list;
    for (const group of GROUPS) {
      const end = make("li", "end");
      end.hidden = true;
      this.#ends.set(group, end);
      list.append(end);
    }
  }

  /** Moves it only when its group is another. Whoever has the keyboard there keeps it. */
  place(row: HTMLElement, group: Group): void {
    if (this.#groups.get(row) === group) {
      return;
    }
    this.#groups.set(row, group);
    const end = this.#ends.get(group) as HTMLElement;
    const before = group === "done" ? end.nextSibling : end;
    const focused = row.contains(document.activeElement) ? (document.activeElement as HTMLElement) : undefined;
    this.#list.insertBefore(row, before);
    focused?.focus({ preventScroll: true });
  }
}
