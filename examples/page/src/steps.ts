// The steps of a file's way, and how far it is on it. That it was verified is a step only where something was.

import { make, say } from "./elements.ts";
import type { Journey, Stage } from "./journey.ts";

type State = "done" | "doing" | "failed" | "ahead";
const WORDS: Readonly<Record<State, string>> = { done: " (done)", doing: " (now)", failed: " (failed)", ahead: "" };

const VERIFIED = "Verified";

/** Each step, and the stages in which it is being done. The first is the one of every other stage. */
const STEPS: readonly (readonly [name: string, during: readonly Stage[]])[] = [
  ["Uploaded", []],
  ["Put together", ["completing"]],
  [VERIFIED, ["verifying"]],
  ["At the origin", ["completed", "undelivered", "delivered"]],
];

export class Steps {
  readonly element = make("ol", "steps");
  readonly #steps = STEPS.map(([name]) => {
    const [element, word] = [make("li", "step"), make("span", "unseen")];
    element.append(make("span", "dot"), make("span", "label", name), word);
    this.element.append(element);
    return { element, word };
  });

  show(journey: Journey): void {
    const states = statesOf(journey);
    for (const [index, { element, word }] of this.#steps.entries()) {
      const state = states[index] ?? "ahead";
      element.hidden = STEPS[index]?.[0] === VERIFIED && !journey.isVerified && journey.stage !== "verifying";
      element.dataset.state = state;
      say(word, WORDS[state]);
      state === "doing" ? element.setAttribute("aria-current", "step") : element.removeAttribute("aria-current");
    }
  }
}

function statesOf({ stage, percent, uploadId }: Journey): State[] {
  const at = Math.max(
    0,
    stage === "failed" && percent === 100 && uploadId !== undefined
      ? 1
      : STEPS.findIndex(([, during]) => during.includes(stage)),
  );
  const hasFailed = stage === "failed" || stage === "undelivered";
  const isMoving = !["ready", "waiting", "paused", "interrupted", "missing"].includes(stage);
  const current: State = stage === "delivered" ? "done" : hasFailed ? "failed" : isMoving ? "doing" : "ahead";
  return STEPS.map((_, index) => (index < at ? "done" : index === at ? current : "ahead"));
}
