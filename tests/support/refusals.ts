// What every refusal must look like: an RFC 9457 problem document with a stable type, and nothing changed by it.

import assert from "node:assert/strict";

import type { Problem, Status } from "./api.ts";
import type { Client } from "./client.ts";
import type { Reply } from "./http.ts";

/** Below which address the pages about errors are, whatever the deployment's own is. */
const TYPE_PREFIX = /^https?:\/\/[^/]+(\/[^/]+)*\/problems\/$/;

/** Asserts status and problem type, and the members given; returns the whole document. */
export function assertRefused(reply: Reply, status: number, code: string, members: Partial<Problem> = {}): Problem {
  const said = reply.body.toString();
  assert.equal(reply.status, status, said);
  assert.equal(reply.header("Content-Type")?.split(";")[0], "application/problem+json", said);
  const problem = reply.json<Problem>();
  assert.equal(problem.code, code, said);
  assert.ok(problem.type.endsWith(code), said);
  assert.match(problem.type.slice(0, -code.length), TYPE_PREFIX, said);
  assert.equal(problem.status, status, said);
  assert.ok(problem.title.length > 0, said);
  assert.ok(problem.detail.length > 0, said);
  for (const [name, value] of Object.entries(members)) {
    assert.deepEqual(problem[name as keyof Problem], value, `${name} in ${said}`);
  }
  return problem;
}

/** Asserts a 400 that names the field at fault; header names in any case. */
export function assertBadRequest(reply: Reply, field: string, code = "bad-request"): Problem {
  const problem = assertRefused(reply, 400, code);
  assert.equal(problem.field?.toLowerCase(), field.toLowerCase(), reply.body.toString());
  return problem;
}

/** Runs `step` and asserts that the upload stands exactly where it stood before. */
export async function assertNothingCounted(client: Client, uploadId: string, step: () => Promise<void>): Promise<void> {
  const before = await client.state(uploadId);
  await step();
  const after = await client.state(uploadId);
  // What was tried has cost something all the same.
  const standing = (status: Status) => ({ ...status, expiresAt: "", cost: undefined });
  assert.deepEqual(standing(after), standing(before));
}
