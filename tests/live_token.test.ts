// A recording that outlives the token that it was begun with, as one of three hours outlives one of an hour: whoever records goes on, whoever follows
// goes on, and nothing else can be done with that token any more.

import assert from "node:assert/strict";
import { test } from "node:test";

import type { Created } from "./support/api.ts";
import { fileBytes, MIB, sha256 } from "./support/bytes.ts";
import { Follower } from "./support/follower.ts";
import { assertRefused } from "./support/refusals.ts";
import { sceneWithScriptedOrigin } from "./support/scene.ts";
import { bearer, claimsOf, mint, secondsFromNow } from "./support/tokens.ts";
import { waitFor } from "./support/wait.ts";

const { origin, stack, client } = await sceneWithScriptedOrigin({ AUTH: "token" });

test("a live upload outlives its token, and so do those who follow it", async () => {
  const file = fileBytes("three hours", 9 * MIB);
  // Thirty seconds of difference between clocks are forgiven.
  const token = bearer(mint(stack, claimsOf("alice", { exp: secondsFromNow(-25) })));
  const init = { fileName: "talk.webm", fileSize: null, live: true };
  const begun = await client.init(init, token);
  assert.equal(begun.status, 201, begun.body.toString());
  const id = begun.json<Created>().uploadId;
  const url = `${client.baseUrl}/upload/${id}/content?follow`;
  const early = new Follower(url, token);
  assert.equal((await client.put(id, 0, file.subarray(0, MIB), token)).status, 200);
  await early.has(MIB);

  await waitFor("the token to expire", async () => {
    const reply = await client.init(init, token);
    return reply.status === 401 ? true : undefined;
  });
  assertRefused(await client.init(init, token), 401, "token-expired");
  assert.equal((await client.put(id, MIB, file.subarray(MIB, 5 * MIB), token)).status, 200);
  await early.has(5 * MIB);
  const late = new Follower(url, token);
  await late.has(5 * MIB);
  // Another token of the same owner, as expired, is nobody's.
  const other = bearer(mint(stack, claimsOf("alice", { exp: secondsFromNow(-100), nbf: 1 })));
  assertRefused(await client.request("GET", `/upload/${id}/content`, { headers: other }), 401, "token-expired");
  assertRefused(await client.put(id, 5 * MIB, file.subarray(5 * MIB), other), 401, "token-expired");

  assert.equal((await client.put(id, 5 * MIB, file.subarray(5 * MIB), token)).status, 200);
  const ended = await client.request("POST", `/upload/${id}/complete`, { headers: token });
  assert.ok(ended.status < 300, ended.body.toString());
  assert.equal((await origin.waitForEvent(id, "upload.completed")).data.fileSize, file.length);
  for (const follower of [early, late]) {
    assert.equal(await follower.ended, "whole");
    assert.equal(sha256(follower.content), sha256(file));
  }
});
