// What a run counts, and how it prints it.

import { MIB } from "../support/bytes.ts";

export class Figures {
  readonly startedMs = Date.now();
  readonly endings = new Map<string, number>();
  readonly refusals = new Map<string, number>();
  readonly faults = new Map<string, number>();
  readonly originFailures = new Map<string, number>();
  readonly visitors = new Map<string, number>();
  readonly protocols = new Map<string, number>();
  requests = 0;
  unanswered = 0;
  bytesOfFiles = 0;
  bytesSent = 0;
  garbageBytes = 0;
  duplicates = 0;
  composed = 0;
  disconnects = 0;
  lostAnswers = 0;
  kills = 0;
  alarmsLost = 0;
  interruptions = 0;
  askedAfterwards = 0;
  readings = 0;
  followings = 0;
  originRestarts = 0;
  faultsPlanned = 0;
  emptyMultiparts = 0;

  count(which: Map<string, number>, name: string): void {
    which.set(name, (which.get(name) ?? 0) + 1);
  }

  get seconds(): number {
    return (Date.now() - this.startedMs) / 1000;
  }

  lines(): string[] {
    const twice = Math.max(0, this.bytesSent - this.bytesOfFiles);
    return [
      `uploads by ending      ${tally(this.endings)}`,
      `bytes of files         ${mebibytes(this.bytesOfFiles)}`,
      `bytes sent twice       ${mebibytes(twice)}, and ${mebibytes(this.garbageBytes)} of garbage`,
      `put together           ${this.composed} from partials`,
      `declared again         ${this.duplicates} answered with the object that was there`,
      `chunks by protocol      ${tally(this.protocols)}`,
      `requests               ${this.requests}, ${this.unanswered} without an answer`,
      `refused with 409       ${tally(this.refusals)}`,
      `disconnects            ${this.disconnects}, answers lost ${this.lostAnswers}`,
      `interrupted            ${this.interruptions} times in three chunks`,
      `other clients          ${tally(this.visitors)}`,
      `kills                  ${this.kills}, alarms lost ${this.alarmsLost}`,
      `faults                 ${total(this.faults)} injected of ${this.faultsPlanned} planned: ${tally(this.faults)}`,
      `origin                 ${this.originRestarts} restarts; ${tally(this.originFailures)}`,
      `read while they grew   ${this.readings} times, followed over ${this.followings} connections`,
      `taken by the origin    asked for afterwards ${this.askedAfterwards} times`,
      `empty multiparts left  ${this.emptyMultiparts} (creations that R2 did and nobody heard of)`,
      `duration               ${this.seconds.toFixed(1)} s`,
    ];
  }
}

function tally(counts: Map<string, number>): string {
  const sorted = [...counts].sort(([a], [b]) => a.localeCompare(b));
  return sorted.length === 0 ? "none" : sorted.map(([name, count]) => `${name} ${count}`).join(", ");
}

function total(counts: Map<string, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}

function mebibytes(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}
