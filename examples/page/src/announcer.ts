// What changes, said to whoever listens instead of looking: every new stage, and every quarter of the way.

import type { Journey, Stage } from "./journey.ts";

const SENTENCES: Readonly<Record<Stage, string>> = {
  ready: "is in the list",
  waiting: "is waiting",
  starting: "is being started",
  interrupted: "was interrupted; it can go on",
  missing: "must be chosen again",
  hashing: "is being hashed",
  uploading: "is being uploaded",
  paused: "is paused",
  offline: "waits for the network",
  following: "is on its way in another tab",
  completing: "is being put together on the server",
  verifying: "is being verified on the server",
  repairing: "arrived damaged and is being repaired",
  completed: "is stored; the origin is being told",
  delivered: "has arrived at the origin",
  undelivered: "is stored, but the origin did not take it",
  failed: "failed",
};

/** Of these nobody needs to hear. */
const QUIET: ReadonlySet<Stage> = new Set(["ready", "waiting", "starting"]);

export class Announcer {
  readonly #region: Element;
  readonly #said = new Map<Journey, string>();

  constructor(region: Element) {
    this.#region = region;
  }

  hear(journey: Journey): void {
    const quarter = Math.floor(journey.percent / 25) * 25;
    const isMoving = journey.stage === "uploading" && quarter > 0 && quarter < 100;
    const resuming = journey.resumedFrom === undefined ? "" : `, resuming from ${journey.resumedFrom} percent`;
    const moving = isMoving ? `: ${quarter} percent` : "";
    const sentence =
      journey.stage === "uploading" ? `${SENTENCES.uploading}${resuming}${moving}` : SENTENCES[journey.stage];
    if (QUIET.has(journey.stage) || this.#said.get(journey) === sentence) {
      return;
    }
    this.#said.set(journey, sentence);
    this.#region.textContent = `${journey.name} ${sentence}. ${journey.stage === "failed" ? (journey.message?.text ?? "") : ""}`;
  }
}
