// Above the list: how much of all of it is done, and the buttons for all files at once.

import { find, say } from "./elements.ts";
import { files, size } from "./format.ts";
import type { Journey, Stage } from "./journey.ts";

const STARTABLE: ReadonlySet<Stage> = new Set(["ready", "interrupted"]);
const HELD: ReadonlySet<Stage> = new Set(["paused"]);
const RUNNING: ReadonlySet<Stage> = new Set(["starting", "hashing", "uploading", "offline", "waiting"]);

export interface SummaryActs {
  start(): void;
  pauseAll(): void;
  resumeAll(): void;
  clear(): void;
}

export class Summary {
  readonly #section = find("#files");
  readonly #text = find("#summary");
  readonly #start = find("#start");
  readonly #pauseAll = find("#pause-all");
  readonly #resumeAll = find("#resume-all");
  readonly #clear = find("#clear");

  constructor(acts: SummaryActs) {
    this.#start.addEventListener("click", acts.start);
    this.#pauseAll.addEventListener("click", acts.pauseAll);
    this.#resumeAll.addEventListener("click", acts.resumeAll);
    this.#clear.addEventListener("click", acts.clear);
  }

  show(journeys: readonly Journey[]): void {
    const count = (stages: ReadonlySet<Stage>) => journeys.filter(({ stage }) => stages.has(stage)).length;
    const [startable, running, held] = [count(STARTABLE), count(RUNNING), count(HELD)];
    const done = journeys.filter(({ isOver }) => isOver).length;
    this.#section.hidden = journeys.length === 0;
    say(this.#text, textOf(journeys, done));
    const isFresh = journeys.some(({ stage }) => stage === "ready");
    say(this.#start, startable === 0 ? "" : `${isFresh ? "Upload" : "Go on with"} ${files(startable)}`);
    this.#pauseAll.hidden = running < 2;
    this.#resumeAll.hidden = held < 2 || running > 1;
    this.#clear.hidden = done === 0;
  }
}

function textOf(journeys: readonly Journey[], done: number): string {
  const sum = (bytesOf: (journey: Journey) => number) => journeys.reduce((bytes, journey) => bytes + bytesOf(journey), 0);
  const all = sum(({ fileBytes }) => fileBytes);
  if (done === journeys.length) {
    return `${files(done)}, ${size(all)}, all there`;
  }
  const there = sum(({ isSent, fileBytes, uploadedBytes }) => (isSent ? fileBytes : uploadedBytes));
  const count = journeys.length.toLocaleString("en");
  return there === 0
    ? `${files(journeys.length)}, ${size(all)}`
    : `${done.toLocaleString("en")} of ${count} done, ${size(there)} of ${size(all)}`;
}
