// The built Worker behind the platform's limit on connections, which `wrangler dev` does not have: of one invocation (a request, a
// batch of a queue, an alarm) only so many calls may wait for their answer at the same time, and a further one waits for its turn.
// The stack's option `connections` puts this file beside the bundle's `entry.js` and starts here.
//
// A place is held until the answer's headers are there: of a `get` until the object is, of a `put` or an `uploadPart` until R2 has
// read the whole body. The documentation names R2, queues and `fetch`; objects are counted too, to be on the safe side. Each wait is
// logged as `connection_waits`, for tests that must not see one.

import { AsyncLocalStorage } from "node:async_hooks";

import Worker, * as built from "./entry.js";

export * from "./entry.js";

/** The places of the invocation that is running. It follows every promise, through the wasm too. */
const invocation = new AsyncLocalStorage();

class Places {
  #free;
  #waiting = [];

  constructor(count) {
    this.#free = count;
  }

  async hold(what, call) {
    if (this.#free > 0) {
      this.#free -= 1;
    } else {
      console.log(JSON.stringify({ event: "connection_waits", code: what }));
      await new Promise((resolve) => this.#waiting.push(resolve));
    }
    try {
      return await call();
    } finally {
      const next = this.#waiting.shift();
      if (next) {
        next();
      } else {
        this.#free += 1;
      }
    }
  }
}

function held(what, call) {
  const places = invocation.getStore();
  if (places === undefined) {
    // Stack.stop() takes it for what it is: whoever trusts these tests must know.
    console.error(JSON.stringify({ event: "connection_fault", detail: `${what} outside of any invocation` }));
    return call();
  }
  return places.hold(what, call);
}

/** The same object, whose methods of these names hold a place; `inside` changes what others return. */
function counted(target, name, methods, inside = {}) {
  return new Proxy(target, {
    get(_, property) {
      const value = Reflect.get(target, property);
      if (typeof value !== "function" || property === "constructor") {
        return value;
      }
      if (methods.includes(property)) {
        return (...args) => held(`${name}.${property}`, () => value.apply(target, args));
      }
      const change = inside[property] ?? ((result) => result);
      return (...args) => change(value.apply(target, args));
    },
  });
}

const multipart = (upload) => counted(upload, "multipart", ["uploadPart", "complete", "abort"]);
const stub = (object) => counted(object, "object", ["fetch"]);

/** By the bindings' own classes: whatever wrangler.toml calls them. */
const bindings = {
  R2Bucket: (bucket) =>
    counted(bucket, "bucket", ["get", "put", "head", "list", "delete", "createMultipartUpload"], {
      resumeMultipartUpload: multipart,
    }),
  WorkerQueue: (queue) => counted(queue, "queue", ["send", "sendBatch"]),
  DurableObjectNamespace: (namespace) => counted(namespace, "namespace", [], { get: stub, getByName: stub }),
};

function countedBindings(env) {
  const wrapped = Object.entries(env).map(([name, value]) => {
    const wrap = typeof value === "object" && value !== null ? bindings[value.constructor.name] : undefined;
    return [name, wrap === undefined ? value : wrap(value)];
  });
  return Object.fromEntries(wrapped);
}

const plainFetch = globalThis.fetch;
globalThis.fetch = (...args) => held("fetch", () => plainFetch(...args));

const invoked = (env, run) => invocation.run(new Places(Number(env.CONNECTIONS)), run);

/** An object's class: every event is an invocation of its own. */
function eachEvent(Class) {
  return class {
    #object;
    #env;

    constructor(state, env) {
      this.#env = env;
      this.#object = new Class(state, countedBindings(env));
    }

    fetch(request) {
      return invoked(this.#env, () => this.#object.fetch(request));
    }

    alarm(info) {
      return invoked(this.#env, () => this.#object.alarm(info));
    }

    webSocketMessage(...args) {
      return invoked(this.#env, () => this.#object.webSocketMessage(...args));
    }

    webSocketClose(...args) {
      return invoked(this.#env, () => this.#object.webSocketClose(...args));
    }

    webSocketError(...args) {
      return invoked(this.#env, () => this.#object.webSocketError(...args));
    }
  };
}

export const UploadSession = eachEvent(built.UploadSession);
export const OwnerLedger = eachEvent(built.OwnerLedger);

export default {
  fetch(request, env, context) {
    return invoked(env, () => Worker.fetch(request, countedBindings(env), context));
  },

  queue(batch, env, context) {
    return invoked(env, () => Worker.queue(batch, countedBindings(env), context));
  },
};
