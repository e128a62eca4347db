// What all parts of a run share: the running stack, the origin behind its flaky proxy, the figures, and the differences
// found so far.

import type { Origin } from "../support/origin.ts";
import type { Stack } from "../support/stack.ts";
import { Figures } from "./figures.ts";
import type { FlakyProxy } from "./flaky_proxy.ts";
import type { Job } from "./job.ts";

export class World {
  readonly stack: Stack;
  readonly origin: Origin;
  readonly proxy: FlakyProxy;
  readonly figures = new Figures();
  readonly jobs: Job[] = [];
  readonly differences: string[] = [];
  /** Faults planned so far after which an upload may fail for good. */
  fatalFaults = 0;
  /** Creations whose answer nobody saw and that no key leads back to. */
  lostCreations = 0;
  /** Uploads that others were put together from. */
  readonly partials = new Set<string>();
  /** Requests to put partial uploads together whose answer nobody saw, or that were refused. */
  lostCompositions = 0;

  constructor(stack: Stack, origin: Origin, proxy: FlakyProxy) {
    this.stack = stack;
    this.origin = origin;
    this.proxy = proxy;
  }

  /** Something that must not be. With the whole history of the upload where there is one. */
  differ(what: string, job?: Job): void {
    const history = job === undefined ? [] : [...job.history, ...this.#logOf(job)];
    const text = [what, ...history.map((line) => `    ${line}`)].join("\n");
    this.differences.push(text);
    console.log(`DIFFERENCE ${this.differences.length}: ${text}`);
  }

  #logOf(job: Job): string[] {
    const lines = job.incarnations.flatMap(({ uploadId }) => this.stack.log.of(uploadId));
    return ["-- what the Worker logged:", ...lines.map((line) => JSON.stringify(line))];
  }
}
