// The built Worker, whose calls to R2, to objects and to the queue wait until they are let go, all that wait together: so that round trips in a
// row can be counted, and not measured. The stack's option `entry` puts this file beside the bundle's `entry.js` and starts here.
//
// `POST /trips/hold` begins, `GET /trips` says what waits and how many calls are under way, `POST /trips/step` lets go what waits, and
// `POST /trips/release` ends it.

import Worker, * as built from "./entry.js";

export * from "./entry.js";

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// The Worker and its objects share an isolate under `wrangler dev`, and so this.
let isHolding = false;
let step = 0;
let waiting = [];
/** Calls that have been let go and wait for nobody but R2 and the queue. */
let underWay = 0;

async function held(name, isOutside, call) {
  if (!isHolding) {
    return await call();
  }
  const mine = step;
  waiting.push(name);
  // Looked for, and not told: a promise belongs to the request that made it.
  while (isHolding && step === mine) {
    await pause(2);
  }
  underWay += isOutside;
  try {
    return await call();
  } finally {
    underWay -= isOutside;
  }
}

/** The same object, whose methods of these names wait; `inside` changes what others return. */
function counted(target, name, methods, inside = {}, isOutside = 1) {
  return new Proxy(target, {
    get(_, property) {
      const value = Reflect.get(target, property);
      if (typeof value !== "function" || property === "constructor") {
        return value;
      }
      if (methods.includes(property)) {
        return (...args) => held(name(property, args), isOutside, () => value.apply(target, args));
      }
      const change = inside[property] ?? ((result) => result);
      return (...args) => change(value.apply(target, args));
    },
  });
}

const ofR2 = (method) => `r2 ${method}`;
const multipart = (upload) => counted(upload, ofR2, ["uploadPart", "complete", "abort"]);

/** By the bindings' own classes. */
const wrappers = {
  R2Bucket: (_, bucket) =>
    counted(bucket, ofR2, ["get", "put", "head", "list", "delete", "createMultipartUpload"], {
      resumeMultipartUpload: multipart,
    }),
  WorkerQueue: (_, queue) => counted(queue, (method) => `queue ${method}`, ["send", "sendBatch"]),
  DurableObjectNamespace: (binding, namespace) => {
    const name = (_, [request]) => `${binding.toLowerCase()} ${new URL(request.url).pathname.slice(1)}`;
    const stub = (object) => counted(object, name, ["fetch"], {}, 0);
    return counted(namespace, String, [], { get: stub, getByName: stub });
  },
};

function bindings(env) {
  const wrapped = Object.entries(env).map(([binding, value]) => {
    const wrap = typeof value === "object" && value !== null ? wrappers[value.constructor.name] : undefined;
    return [binding, wrap === undefined ? value : wrap(binding, value)];
  });
  return Object.fromEntries(wrapped);
}

function calling(Class) {
  return class extends Class {
    constructor(state, env) {
      super(state, bindings(env));
    }
  };
}

export const UploadSession = calling(built.UploadSession);
export const OwnerLedger = calling(built.OwnerLedger);

function control(request) {
  const { pathname } = new URL(request.url);
  const asked = `${request.method} ${pathname}`;
  if (asked === "POST /trips/hold" || asked === "POST /trips/release") {
    isHolding = asked.endsWith("hold");
  }
  const said = { waiting, underWay };
  if (asked !== "GET /trips") {
    step += 1;
    waiting = [];
  }
  return Response.json(said);
}

export default {
  fetch(request, env, context) {
    return new URL(request.url).pathname.startsWith("/trips")
      ? control(request)
      : Worker.fetch(request, bindings(env), context);
  },

  queue: (batch, env, context) => Worker.queue(batch, bindings(env), context),
};
