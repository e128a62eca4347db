// The Worker inside an application: below a path, with the application's own functions in the place of a webhook.
//
// What is said here reaches the wasm beside the bindings, as `wrangler.jsonc` would say it: `BASE_PATH`, `ORIGIN`, which takes events, and
// `ACCEPT`, which is asked before an upload is created.

import { env as settings } from "cloudflare:workers";

import worker from "./dist/entry.js";
import { acceptor, origin } from "./hooks.js";

/** Whose settings the wasm has read: it reads them once. */
let inUse;

/** The first segments of this Worker's addresses, where it has no path of its own. */
const ROUTES = new Set(["upload", "uploads", "files", "s3", "usage", "healthz", "readyz", "openapi.json"]);

/** `quayside-events`, `quayside-tasks`, `quayside-dead-letters`; also with an environment in between: `quayside-staging-events`. */
const QUEUE = /(^|-)quayside(-[a-z0-9-]+)?-(events|tasks|dead-letters)$/;

/** What a message of ours is about: each carries one of these, and in it an upload's id. */
const MESSAGES = ["deliver-event", "concatenate", "repair", "verify"];

const OPTIONS = new Set([
  "basePath",
  "queues",
  "accept",
  "onEvent",
  "onCompleted",
  "onFailed",
  "onExpired",
  "onAborted",
  "onDeleted",
  "onDuplicate",
]);

/** See index.d.ts. */
export function createQuayside(options = {}) {
  for (const name of Object.keys(options)) {
    if (!OPTIONS.has(name)) {
      throw new TypeError(`createQuayside has no option ${name}; it has ${[...OPTIONS].join(", ")}`);
    }
  }
  const { basePath } = options;
  if (basePath !== undefined && !(typeof basePath === "string" && /^[\w./~-]*$/.test(basePath))) {
    throw new TypeError(`basePath is no path like /api/files: ${basePath}`);
  }
  const base = basePath === undefined ? undefined : withoutSlashes(basePath);
  const takesEvents = Object.keys(options).some((name) => name.startsWith("on"));
  const own = {};

  function withOptions(env, context) {
    inUse ??= own;
    if (inUse !== own) {
      throw new Error(
        "One Worker holds one Quayside: another one, made by another call of createQuayside, has answered before. " +
          "Use the same object for fetch and queue, and a Worker of its own for a second set of settings",
      );
    }
    const added = {};
    if (base !== undefined) {
      added.BASE_PATH = base;
    }
    if (takesEvents) {
      added.ORIGIN = origin(options, env, context);
    }
    if (options.accept !== undefined) {
      added.ACCEPT = acceptor(options.accept, env, context);
    }
    return { ...env, ...added };
  }

  return {
    async fetch(request, env, context) {
      return await worker.fetch(request, withOptions(env, context), context);
    },

    async queue(batch, env, context) {
      await worker.queue(batch, withOptions(env, context), context);
    },

    handles(request) {
      const path = new URL(request.url).pathname;
      const below = base ?? withoutSlashes(`${settings.BASE_PATH ?? ""}`);
      if (below) {
        return path === below || path.startsWith(`${below}/`);
      }
      return ROUTES.has(path.split("/")[1]) || isProblemPage(request.url);
    },

    handlesQueue(batch) {
      return (
        options.queues?.includes(batch.queue) ?? (QUEUE.test(batch.queue) || batch.messages?.some(isOurs) === true)
      );
    },
  };
}

/** Whether it is a message of Quayside's, in a queue that is called something else. */
function isOurs({ body }) {
  return MESSAGES.some((kind) => typeof body?.[kind]?.uploadId === "string");
}

/** Whether it is the address of a page about an error. Below `/problems/` an application may have its own: what it deals with. */
function isProblemPage(url) {
  const { origin, pathname } = new URL(url);
  const own = `${origin}/problems/`;
  const isElsewhere = ![own, ""].includes(`${settings.PROBLEMS_URL ?? ""}`.trim());
  return !isElsewhere && /^\/problems\/[^/]+$/.test(pathname);
}

function withoutSlashes(path) {
  const segments = path.split("/").filter((segment) => segment !== "");
  return segments.map((segment) => `/${segment}`).join("");
}
