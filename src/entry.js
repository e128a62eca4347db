// What stands between the platform and the wasm: it hands everything through, and answers where the wasm cannot any more.
//
// Code that breaks off (a panic, a trap) takes the instance down with every request that it was carrying; none of them would
// ever be answered, and the platform would call them hung. Here each of them is answered with an id, under which the log says more.
// worker-build's own code, in `index.js`, makes a new instance for the next request, and that one is asked for the answer: in the
// protocol of the request, with the headers that let a page read it. What was counted before is in the objects, so clients ask for
// the offset and go on.

import Worker from "./index.js";

export * from "./index.js";

/** How to give up each request that is being carried. */
const carried = new Set();

addEventListener("error", ({ error }) => {
  if (error instanceof WebAssembly.RuntimeError) {
    for (const giveUp of carried) {
      giveUp(error);
    }
  }
});

export default {
  /**
   * In production a request ends with its client, wherever it is, but for what is under `waitUntil`, for 30 seconds at most: nothing of it ever goes
   * on, and what it holds is never given back. So whatever has a body goes on until it has seen that its client has gone. What has come of a
   * chunk counts then; a form is whole or nothing, which its end decides; and the memory of a document is there for others.
   */
  fetch(request, env, context) {
    const answered = answer(request, env, context);
    if (request.body !== null) {
      context.waitUntil(answered.catch(() => {}));
    }
    return answered;
  },

  queue(batch, env, context) {
    return new Worker(context, env).queue(batch);
  },
};

/** The answer to a request, also where there is no instance to give it. */
async function answer(request, env, context) {
  try {
    return await carry(() => new Worker(context, env).fetch(request));
  } catch (error) {
    return await fault(error, request, env, context);
  }
}

/** What an instance answers, unless it breaks off. */
async function carry(ask) {
  let giveUp;
  const broken = new Promise((_, reject) => {
    giveUp = reject;
  });
  carried.add(giveUp);
  try {
    return await Promise.race([ask(), broken]);
  } finally {
    carried.delete(giveUp);
  }
}

/** The Worker's own answer to what is its own mistake. It is told of it beside its bindings, where no client can say anything. */
async function fault(error, request, env, context) {
  const faultId = crypto.randomUUID().replaceAll("-", "").slice(0, 16);
  console.error(JSON.stringify({ event: "fault", status: 500, code: faultId, detail: String(error) }));
  const { method, url, headers } = request;
  try {
    const told = new Worker(context, { ...env, BROKEN_OFF: faultId });
    return await carry(() => told.fetch(new Request(url, { method, headers })));
  } catch {
    return plainFault(faultId, url, env);
  }
}

/** The answer where there is no instance to give one: an RFC 9457 problem document, and nothing of any protocol. */
function plainFault(faultId, url, { PROBLEMS_URL, PUBLIC_URL, BASE_PATH }) {
  const path = (BASE_PATH ?? "").split("/").filter((segment) => segment !== "");
  const base = [(PUBLIC_URL || new URL(url).origin).replace(/\/+$/, ""), ...path, "problems/"];
  const problem = {
    type: `${PROBLEMS_URL || base.join("/")}fault`,
    code: "fault",
    title: "Something went wrong here",
    status: 500,
    detail: "It is not your fault. Ask for the offset and go on; whoever runs this service finds more under the fault's id.",
    faultId,
  };
  const headers = { "content-type": "application/problem+json", "cache-control": "no-store" };
  return new Response(JSON.stringify(problem), { status: 500, headers });
}
