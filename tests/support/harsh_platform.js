// The built Worker on a platform that is harder than `wrangler dev`. The stack's option `entry` puts this file beside the bundle's
// `entry.js` and starts here.
//
// * A request ends with its client, as in production, but for what is under `waitUntil`: when that is over, no binding of the request
//   answers any more. Not rebuilt here: the 30 seconds.
// * With the header `X-Test-Client: leaves` its client leaves when its last byte has been read.
// * With `X-Test-Refused-Put: 2` the second `put` of the request into the bucket fails.

import Worker from "./entry.js";

export * from "./entry.js";

class Invocation {
  #isAlone = false;
  #hasEnded = false;
  #tasks = 0;
  #puts = 0;
  #refusedPut;

  constructor(refusedPut) {
    this.#refusedPut = refusedPut;
  }

  clientLeaves() {
    this.#isAlone = true;
    this.#endIfOver();
  }

  waitUntil(task) {
    this.#tasks += 1;
    const over = () => {
      this.#tasks -= 1;
      this.#endIfOver();
    };
    task.then(over, over);
  }

  async call(run) {
    await this.#never();
    const answer = await run();
    await this.#never();
    return answer;
  }

  async put(run) {
    this.#puts += 1;
    if (this.#puts === this.#refusedPut) {
      throw new Error("r2.put: a fault on purpose");
    }
    return await this.call(run);
  }

  #endIfOver() {
    this.#hasEnded ||= this.#isAlone && this.#tasks === 0;
  }

  /** Where the request has ended nothing follows. */
  async #never() {
    if (this.#hasEnded) {
      await new Promise(() => {});
    }
  }
}

/** The same object, with other methods in the place of these. */
function changed(target, methods) {
  return new Proxy(target, {
    get(_, property) {
      const value = Reflect.get(target, property);
      if (typeof value !== "function" || property === "constructor") {
        return value;
      }
      return (...args) => {
        const run = () => value.apply(target, args);
        return Object.hasOwn(methods, property) ? methods[property](run, ...args) : run();
      };
    },
  });
}

/** The bindings of one request. By their own classes: whatever wrangler.toml calls them. */
function bindings(env, invocation) {
  const stub = (get) => changed(get(), { fetch: (run) => invocation.call(run) });
  const change = {
    R2Bucket: (bucket) => changed(bucket, { put: (run) => invocation.put(run) }),
    DurableObjectNamespace: (namespace) => changed(namespace, { get: stub, getByName: stub }),
  };
  const entries = Object.entries(env).map(([name, value]) => {
    const wrap = typeof value === "object" && value !== null ? change[value.constructor.name] : undefined;
    return [name, wrap === undefined ? value : wrap(value)];
  });
  return Object.fromEntries(entries);
}

/** The same request, of whose client it is told when it leaves. */
function watched(request, invocation) {
  if (request.body === null) {
    return request;
  }
  const { readable, writable } = new IdentityTransformStream();
  const leaves = () => invocation.clientLeaves();
  const stays = () => {};
  request.body.pipeTo(writable).then(request.headers.get("x-test-client") === "leaves" ? leaves : stays, leaves);
  return new Request(request, { body: readable });
}

export default {
  fetch(request, env, context) {
    const invocation = new Invocation(Number(request.headers.get("x-test-refused-put")));
    const waitUntil = (run, task) => {
      invocation.waitUntil(task);
      run();
    };
    return Worker.fetch(watched(request, invocation), bindings(env, invocation), changed(context, { waitUntil }));
  },

  queue(batch, env, context) {
    return Worker.queue(batch, env, context);
  },
};
