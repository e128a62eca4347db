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

/** `quayside-events`, `quayside-tasks`, `quayside-dead-letters`; also of an application, or with an environment: `shop-quayside-staging-events`. */
const QUEUE = /^(.+-)?quayside(-.+)?-(events|tasks|dead-letters)$/;

/** Scheme and host, and no path. */
const HOST = /^https?:\/\/[A-Za-z0-9\-._:[\]]+\/*$/;

/** What a message of ours is about: each carries one of these and nothing else, and in it an upload's id. */
const MESSAGES = ["deliver-event", "concatenate", "repair", "store-last-part", "verify"];
const UPLOAD_ID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;

const OPTIONS = new Set([
  "basePath",
  "queues",
  "accept",
  "onEvent",
  "onProgressed",
  "onCompleted",
  "onFailed",
  "onExpired",
  "onAborted",
  "onDeleted",
  "onDuplicate",
  "onHeld",
  "onRejected",
]);

/** See index.d.ts. */
export function createQuayside(options = {}) {
  check(options);
  const { basePath, accept, queues } = options;
  const base = basePath === undefined ? undefined : withoutSlashes(basePath);
  const takesEvents = Object.keys(options).some((name) => isHook(name) && options[name] !== undefined);
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
    if (accept !== undefined) {
      added.ACCEPT = acceptor(accept, env, context);
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
      if (isOfPublicFiles(request.url)) {
        return true;
      }
      const path = new URL(request.url).pathname;
      const below = base ?? basePathOfSettings();
      if (below) {
        return path === below || path.startsWith(`${below}/`);
      }
      const [, first, second = ""] = path.split("/");
      return ROUTES.has(first) || (first === "by" && second.startsWith("qul_")) || isProblemPage(request.url);
    },

    handlesQueue({ queue, messages = [] }) {
      if (queues !== undefined) {
        return queues.includes(queue);
      }
      const some = [...messages].some(isOurs);
      if (!QUEUE.test(queue)) {
        if (some) {
          console.error(
            `The queue ${queue} has messages of Quayside's: name its queues in createQuayside's option queues`,
          );
        }
        return false;
      }
      // What is not ours in a batch that is, the Worker gives back to the queue; to a dead-letter queue it would not.
      const isOfDead = queue.endsWith("dead-letters");
      return messages.length === 0 || (isOfDead ? [...messages].every(isOurs) : some);
    },
  };
}

/** Throws where an option is none, or is of another kind: whoever wrote it hears of it when the Worker starts. */
function check(options) {
  for (const [name, value] of Object.entries(options)) {
    if (!OPTIONS.has(name)) {
      throw new TypeError(`createQuayside has no option ${name}; it has ${[...OPTIONS].join(", ")}`);
    }
    if ((isHook(name) || name === "accept") && value !== undefined && typeof value !== "function") {
      throw new TypeError(`${name} is no function`);
    }
  }
  const { basePath, queues } = options;
  if (basePath !== undefined && !isPath(basePath)) {
    throw new TypeError(`basePath is no path like /api/files: ${basePath}`);
  }
  const isNames = (list) => Array.isArray(list) && list.every((name) => typeof name === "string" && name !== "");
  if (queues !== undefined && !isNames(queues)) {
    throw new TypeError('queues is no list of names like ["uploads-events", "uploads-tasks", "uploads-dead-letters"]');
  }
}

function isHook(name) {
  return name.startsWith("on");
}

function isPath(path) {
  return typeof path === "string" && /^[\w./~-]*$/.test(path) && !path.split("/").some(isDots);
}

function isDots(segment) {
  return segment === "." || segment === "..";
}

/** Whether it is a message of Quayside's. */
function isOurs({ body }) {
  const [kind, ...more] = Object.keys(body ?? {});
  return more.length === 0 && MESSAGES.includes(kind) && UPLOAD_ID.test(body[kind]?.uploadId);
}

/** Whether it is an address of the host that has public files and nothing else. As the Worker reads it: without `PUBLIC_URL` there is none. */
function isOfPublicFiles(url) {
  const nameOf = (address) => new URL(address).hostname.replace(/\.+$/, "");
  const hosts = [settings.PUBLIC_FILES_URL, settings.PUBLIC_URL].map(trimmed);
  if (!hosts.every((address) => HOST.test(address) && URL.canParse(address))) {
    return false;
  }
  const [files, own] = hosts.map(nameOf);
  return files === nameOf(url) && files !== own;
}

/** Whether it is the address of a page about an error. Below `/problems/` an application may have its own: what it deals with. */
function isProblemPage(url) {
  const { origin, pathname } = new URL(url);
  const own = `${origin}/problems/`;
  const isElsewhere = ![own, ""].includes(trimmed(settings.PROBLEMS_URL));
  return !isElsewhere && /^\/problems\/[^/]+$/.test(pathname);
}

/** As the Worker reads it: one that is no path is none. */
function basePathOfSettings() {
  const path = trimmed(settings.BASE_PATH);
  return /^[\w./~-]*$/.test(path) ? new URL(withoutSlashes(path), "http://worker").pathname.replace(/\/$/, "") : "";
}

/** What Rust calls white space, at both ends. */
function trimmed(text) {
  return `${text ?? ""}`.replace(/^\p{White_Space}+|\p{White_Space}+$/gu, "");
}

function withoutSlashes(path) {
  const segments = path.split("/").filter((segment) => segment !== "");
  return segments.map((segment) => `/${segment}`).join("");
}
