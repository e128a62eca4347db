// Those who read a live upload while it grows: whoever asks once, and whoever follows to the end and comes back where the connection
// breaks. What they get is the file's own bytes, from the first on, and never fewer than had been told to count.

import { setTimeout as sleep } from "node:timers/promises";

import { Follower } from "../support/follower.ts";
import { call } from "./calls.ts";
import type { Incarnation, Job } from "./job.ts";
import type { World } from "./world.ts";

/** When an upload has ended its follower must have heard so; only for giving up. */
const ENDS_WITHIN_MS = 60_000;

/** Reads what is there. */
export async function readGrowing(world: World, job: Job, upload: Incarnation): Promise<void> {
  const told = upload.told;
  const reply = await call(world, job, "GET", `/upload/${upload.uploadId}/content`, { who: "reader" });
  if (reply?.status !== 200) {
    return;
  }
  world.figures.readings += 1;
  const { body } = reply;
  if (body.length < told) {
    world.differ(`${job.name}: ${told} bytes counted, and a reader got ${body.length}`, job);
  }
  if (!body.equals(job.file.subarray(0, body.length))) {
    world.differ(`${job.name}: a reader got other bytes than the file's`, job);
  }
}

/** Follows from the first byte until the recording has ended, which `isOver` says; returns how many bytes came. */
export async function follow(world: World, job: Job, upload: Incarnation, isOver: () => boolean): Promise<number> {
  const url = `${world.stack.baseUrl}/upload/${upload.uploadId}/content?follow`;
  let from = 0;
  let deadlineMs = Number.POSITIVE_INFINITY;
  while (Date.now() < deadlineMs) {
    const follower = new Follower(url, from > 0 ? { Range: `bytes=${from}-` } : {});
    const how = await Promise.race([follower.ended, untilOver(isOver)]);
    follower.leave();
    const { statusCode, content } = follower;
    if (statusCode === (from > 0 ? 206 : 200)) {
      world.figures.followings += 1;
      job.note(`follower: ${content.length} bytes from ${from} on, ${how}`);
      if (!content.equals(job.file.subarray(from, from + content.length))) {
        world.differ(`${job.name}: a follower got other bytes than the file's, from ${from} on`, job);
      }
      from += content.length;
      if (how === "whole") {
        return from;
      }
    } else if (isOver() && statusCode !== undefined && statusCode < 500) {
      // Nothing is behind what it has, or there is no file.
      return from;
    }
    if (isOver()) {
      deadlineMs = Math.min(deadlineMs, Date.now() + ENDS_WITHIN_MS);
    }
    await sleep(100);
  }
  world.differ(`${job.name}: a follower hears nothing of the end`, job);
  return from;
}

/** A while after the end, in which a follower may hear of it. */
async function untilOver(isOver: () => boolean): Promise<"over"> {
  while (!isOver()) {
    await sleep(200);
  }
  await sleep(10_000);
  return "over";
}
