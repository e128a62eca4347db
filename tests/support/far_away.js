// The built Worker with its bucket and its objects at a distance: each call to R2 takes `R2_DISTANCE_MS` longer, and each call to an object
// `OBJECT_DISTANCE_MS`, half of it on the way there and half on the way back. What carries a body takes all of it behind the body: a sender
// does not wait for its first byte to arrive, and the last one is as long on its way as any. The stack's option `entry` puts this file
// beside the bundle's `entry.js` and starts here.

import Worker, * as built from "./entry.js";

export * from "./entry.js";

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function atDistance(ms, call) {
  await pause(ms / 2);
  const answer = await call();
  await pause(ms / 2);
  return answer;
}

async function withBody(ms, call) {
  const answer = await call();
  await pause(ms);
  return answer;
}

const CARRY_A_BODY = ["put", "uploadPart"];

/** The same object, whose methods of these names are so far away; `inside` changes what others return. */
function far(target, ms, methods, inside = {}) {
  return new Proxy(target, {
    get(_, property) {
      const value = Reflect.get(target, property);
      if (typeof value !== "function" || property === "constructor") {
        return value;
      }
      if (methods.includes(property)) {
        const away = CARRY_A_BODY.includes(property) ? withBody : atDistance;
        return (...args) => away(ms, () => value.apply(target, args));
      }
      const change = inside[property] ?? ((result) => result);
      return (...args) => change(value.apply(target, args));
    },
  });
}

/** By the bindings' own classes: whatever wrangler.toml calls them. */
function bindings(env) {
  const [r2, object] = [Number(env.R2_DISTANCE_MS), Number(env.OBJECT_DISTANCE_MS)];
  const multipart = (upload) => far(upload, r2, ["uploadPart", "complete", "abort"]);
  const stub = (found) => far(found, object, ["fetch"]);
  const wrappers = {
    R2Bucket: (bucket) =>
      far(bucket, r2, ["get", "put", "head", "list", "delete", "createMultipartUpload"], {
        resumeMultipartUpload: multipart,
      }),
    DurableObjectNamespace: (namespace) => far(namespace, object, [], { get: stub, getByName: stub }),
  };
  const wrapped = Object.entries(env).map(([name, value]) => {
    const wrap = typeof value === "object" && value !== null ? wrappers[value.constructor.name] : undefined;
    return [name, wrap === undefined ? value : wrap(value)];
  });
  return Object.fromEntries(wrapped);
}

/** An object's class, whose own calls go as far. */
function farFrom(Class) {
  return class extends Class {
    constructor(state, env) {
      super(state, bindings(env));
    }
  };
}

export const UploadSession = farFrom(built.UploadSession);
export const OwnerLedger = farFrom(built.OwnerLedger);

export default {
  fetch: (request, env, context) => Worker.fetch(request, bindings(env), context),
  queue: (batch, env, context) => Worker.queue(batch, bindings(env), context),
};
