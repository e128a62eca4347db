// The built Worker in an application that hears of uploads in two more ways: by a queue, whose messages it hands on to THUMBNAILS_SINK, and by a
// service of its own, Billing, which hands on what it is asked to BILLING_SINK. The stack's option `entry` puts this file beside the bundle's
// `entry.js` and starts here.

import { WorkerEntrypoint } from "cloudflare:workers";

import Worker from "./entry.js";

export * from "./entry.js";

export class Billing extends WorkerEntrypoint {
  async fetch(request) {
    const { status } = await fetch(this.env.BILLING_SINK, {
      method: request.method,
      headers: request.headers,
      body: await request.text(),
    });
    return new Response(null, { status });
  }
}

export default {
  fetch: (request, env, context) => Worker.fetch(request, env, context),

  async queue(batch, env, context) {
    if (batch.queue !== "app-thumbnails") {
      return await Worker.queue(batch, env, context);
    }
    for (const { body } of batch.messages) {
      await fetch(env.THUMBNAILS_SINK, { method: "POST", body: JSON.stringify(body) });
    }
  },
};
