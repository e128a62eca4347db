// What most files of tests stand on: a Worker of their own and the origin that it tells, started together and cleared away
// when the file is done.

import { after } from "node:test";

import type { Client } from "./client.ts";
import { Origin } from "./origin.ts";
import { S3 } from "./s3.ts";
import { ScriptedOrigin } from "./scripted_origin.ts";
import { Stack, type StackOptions } from "./stack.ts";

export type Scene<T> = { origin: T; stack: Stack; client: Client };

/** With the example origin as a process of its own. */
export async function sceneWithOrigin(
  vars: StackOptions["vars"] = {},
  options: Omit<StackOptions, "vars"> = {},
): Promise<Scene<Origin>> {
  const scene = await sceneWithSleepingOrigin({ DELIVERY_FIRST_DELAY_SECONDS: 1, ...vars }, options);
  await scene.origin.start(scene.stack.secrets.WEBHOOK_SECRET);
  return scene;
}

/** The same, but the test starts it. */
export async function sceneWithSleepingOrigin(
  vars: StackOptions["vars"] = {},
  options: Omit<StackOptions, "vars"> = {},
): Promise<Scene<Origin>> {
  const origin = await Origin.prepare();
  const stack = await Stack.start({ ...options, vars: { ORIGIN_WEBHOOK_URL: origin.webhookUrl, ...vars } });
  after(async () => {
    await origin.remove();
    await stack.stop();
  });
  return { origin, stack, client: stack.client };
}

/** With an origin inside the test, that answers whatever the test wants. */
export async function sceneWithScriptedOrigin(vars: StackOptions["vars"] = {}): Promise<Scene<ScriptedOrigin>> {
  const origin = await ScriptedOrigin.start();
  const stack = await Stack.start({ vars: { ORIGIN_WEBHOOK_URL: origin.webhookUrl, ...vars } });
  origin.trust(stack.secrets.WEBHOOK_SECRET);
  after(async () => {
    await origin.stop();
    await stack.stop();
  });
  return { origin, stack, client: stack.client };
}

/** With the example origin, and R2's S3 endpoint for bytes that never pass the Worker. */
export async function sceneWithS3(vars: StackOptions["vars"] = {}): Promise<Scene<Origin> & { s3: S3 }> {
  const origin = await Origin.prepare();
  const told = { ORIGIN_WEBHOOK_URL: origin.webhookUrl, DELIVERY_FIRST_DELAY_SECONDS: 1 };
  const { s3, stack } = await S3.withStack({ ...told, ...vars });
  await origin.start(stack.secrets.WEBHOOK_SECRET);
  after(async () => {
    s3.stop();
    await origin.remove();
    await stack.stop();
  });
  return { origin, stack, client: stack.client, s3 };
}

/** The same with nobody to be told. */
export async function sceneWithS3Alone(): Promise<{ stack: Stack; client: Client; s3: S3 }> {
  const { s3, stack } = await S3.withStack({ ORIGIN_WEBHOOK_URL: "" });
  after(async () => {
    s3.stop();
    await stack.stop();
  });
  return { stack, client: stack.client, s3 };
}
