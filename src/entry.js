// What stands between the platform and the wasm: it hands everything through, and answers where the wasm cannot any more.
//
// Code that breaks off (a panic, a trap) takes the instance down with every request that it was carrying; none of them would
// ever be answered, and the platform would call them hung. Here each of them is answered 500 with an id, under which the log
// says more. worker-build's own code, in `index.js`, makes a new instance for the next request. What was counted before is
// in the objects, so clients ask for the offset and go on.

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
  async fetch(request, env, context) {
    let giveUp;
    const broken = new Promise((_, reject) => {
      giveUp = reject;
    });
    carried.add(giveUp);
    try {
      return await Promise.race([new Worker(context, env).fetch(request), broken]);
    } catch (error) {
      return fault(error);
    } finally {
      carried.delete(giveUp);
    }
  },

  queue(batch, env, context) {
    return new Worker(context, env).queue(batch);
  },
};

/** As the Worker itself answers what is its own mistake: an RFC 9457 problem document. */
function fault(error) {
  const faultId = crypto.randomUUID().replaceAll("-", "").slice(0, 16);
  console.error(JSON.stringify({ event: "fault", status: 500, code: faultId, detail: String(error) }));
  const problem = {
    type: "https://quayside.dev/problems/fault",
    title: "Something went wrong here",
    status: 500,
    detail: "It is not your fault. Ask for the offset and go on; whoever runs this service finds more under the fault's id.",
    faultId,
  };
  const headers = { "content-type": "application/problem+json", "cache-control": "no-store" };
  return new Response(JSON.stringify(problem), { status: 500, headers });
}
