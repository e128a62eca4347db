// The card of one file: its progress, the four steps of its way, and the origin's record at the end.

import { duration, size } from "./format.ts";
import type { Journey, OriginRecord, Stage } from "./journey.ts";

const TITLES: Readonly<Record<Stage, string>> = {
  waiting: "Waiting",
  hashing: "Hashing",
  uploading: "Uploading",
  paused: "Paused",
  offline: "No network",
  following: "In another tab",
  completing: "Completing",
  verifying: "Verifying",
  repairing: "Repairing",
  completed: "Stored",
  delivered: "Delivered",
  undelivered: "Not delivered",
  failed: "Failed",
};

/** Each step, and the stages in which it is being done. */
const STEPS: readonly (readonly [name: string, during: readonly Stage[]])[] = [
  ["Uploaded", ["waiting", "hashing", "uploading", "paused", "offline", "following", "repairing"]],
  ["Put together", ["completing"]],
  ["Verified", ["verifying"]],
  ["At the origin", ["completed", "undelivered"]],
];

type StepState = "done" | "doing" | "failed" | "ahead";
const STEP_WORDS: Readonly<Record<StepState, string>> = { done: "done", doing: "now", failed: "failed", ahead: "" };

let cards = 0;

export class Card {
  readonly element = make("li", "card");
  readonly #badge = make("span", "badge");
  readonly #resumed = make("span", "badge resumed");
  readonly #bar = document.createElement("progress");
  readonly #percent = make("span", "percent");
  readonly #figures = make("span", "figures");
  readonly #remark = make("p", "remark");
  readonly #steps = STEPS.map(([name]) => step(name));
  readonly #record = make("dl", "record");

  constructor(journey: Journey) {
    const name = make("h3", "name", journey.name);
    name.id = `card-${++cards}`;
    name.title = journey.name;
    this.element.setAttribute("aria-labelledby", name.id);
    this.#bar.max = 100;
    this.#bar.setAttribute("aria-labelledby", name.id);
    const badges = make("p", "badges");
    badges.append(this.#resumed, this.#badge);
    const head = make("div", "head");
    head.append(name, badges);
    const line = make("p", "line");
    line.append(this.#percent, this.#figures);
    const steps = make("ol", "steps");
    steps.append(...this.#steps.map(({ element }) => element));
    this.element.append(head, this.#bar, line, this.#remark, steps, this.#record);
    this.show(journey);
  }

  show(journey: Journey): void {
    const { stage } = journey;
    this.element.dataset.stage = stage;
    say(this.#badge, journey.isDuplicate && journey.isSent ? "There already" : TITLES[stage]);
    const isResuming = journey.resumedFrom !== undefined && (stage === "uploading" || stage === "offline");
    say(this.#resumed, isResuming ? `Resuming from ${journey.resumedFrom} %` : "");
    const shown = journey.isSent ? 100 : journey.percent;
    this.#bar.value = shown;
    say(this.#percent, `${shown} %`);
    say(this.#figures, figures(journey));
    say(this.#remark, journey.remark);
    for (const [index, state] of stepStates(journey).entries()) {
      this.#steps[index]?.show(state);
    }
    if (journey.record !== undefined && this.#record.childElementCount === 0) {
      this.#record.append(...recordRows(journey.record, journey));
    }
  }
}

function figures({ stage, uploadedBytes, fileBytes, bytesPerSecond, remainingMs, isSent }: Journey): string {
  if (isSent) {
    return size(fileBytes);
  }
  const parts = [`${size(uploadedBytes)} of ${size(fileBytes)}`];
  if (stage === "uploading" && bytesPerSecond !== null) {
    parts.push(`${size(bytesPerSecond)}/s`);
    if (remainingMs !== null) {
      parts.push(`${duration(remainingMs)} left`);
    }
  }
  return parts.join(" · ");
}

function stepStates(journey: Journey): StepState[] {
  if (journey.stage === "delivered") {
    return STEPS.map(() => "done");
  }
  if (journey.stage === "failed") {
    const at = journey.percent === 100 ? 1 : 0;
    return STEPS.map((_, index) => (index < at ? "done" : index === at ? "failed" : "ahead"));
  }
  const now = STEPS.findIndex(([, during]) => during.includes(journey.stage));
  const current = journey.stage === "undelivered" ? "failed" : journey.stage === "waiting" ? "ahead" : "doing";
  return STEPS.map((_, index) => (index < now ? "done" : index === now ? current : "ahead"));
}

function step(name: string): { element: HTMLElement; show(state: StepState): void } {
  const element = make("li", "step");
  const word = make("span", "unseen");
  element.append(make("span", "dot"), make("span", "label", name), word);
  return {
    element,
    show(state) {
      element.dataset.state = state;
      say(word, STEP_WORDS[state] === "" ? "" : ` (${STEP_WORDS[state]})`);
      if (state === "doing") {
        element.setAttribute("aria-current", "step");
      } else {
        element.removeAttribute("aria-current");
      }
    },
  };
}

function recordRows(record: OriginRecord, journey: Journey): HTMLElement[] {
  const rows: [string, string][] = [
    ["SHA-256 at the origin", record.sha256 ?? "unknown"],
    ["Size", `${record.fileSize.toLocaleString("en")} bytes`],
    ["Type found", record.sniffedType ?? "unknown"],
    ["Stored", record.storedAt === null ? "not yet" : new Date(record.storedAt).toLocaleTimeString()],
    ["Upload", journey.uploadId ?? ""],
  ];
  return rows.map(([term, value]) => {
    const row = make("div", /SHA|Upload/.test(term) ? "wide" : "");
    row.append(make("dt", "", term), make("dd", "", value));
    return row;
  });
}

function make(tag: string, className: string, text = ""): HTMLElement {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

/** Touches the page only where something changes, so that selections and screen readers are left alone. */
function say(element: HTMLElement, text: string): void {
  if (element.textContent !== text) {
    element.textContent = text;
  }
  element.hidden = text === "";
}
