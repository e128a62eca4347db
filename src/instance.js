// The wasm of one isolate, as the classes that the platform makes: the Worker, and the Durable Objects.
//
// A panic or a trap leaves an instance of the wasm in a state that nobody knows. Nothing is asked of it any more: the next call makes
// a new instance first, and objects that lived in the old one are made again, from what they have stored. `worker` marks an instance
// that has panicked in `__worker_init_state`, which it shares with this file.

import { WorkerEntrypoint } from "cloudflare:workers";
import * as wasm from "./index.js";
import errors from "./errors.json";
import linkPage from "./link_page.html";
import description from "./openapi.json";

// Text that is only served lies beside the wasm, which an isolate has to compile before it can answer.

/** `docs/reference/openapi.json`. */
globalThis.quaysideDescription = () => JSON.stringify(description);

/** What `docs/reference/errors.json` says of a code. */
globalThis.quaysideError = (code) => (Object.hasOwn(errors, code) ? JSON.stringify(errors[code]) : undefined);

/** The page of a link that takes one file, made of `src/link_page`. */
globalThis.quaysideLinkPage = () => linkPage;

Error.stackTraceLimit = 100;

const state = wasm.__worker_init_state();

addEventListener("error", ({ error }) => mark(error));

function mark(error) {
  if (error instanceof WebAssembly.RuntimeError) {
    console.error("Critical", error);
    state.criticalError = true;
  }
}

/** Makes a new instance where the old one has broken off. */
function renew() {
  if (state.criticalError) {
    wasm.__wbg_reset_state();
    state.criticalError = false;
    state.instanceId++;
  }
}

async function call(work) {
  renew();
  try {
    return await work();
  } catch (error) {
    mark(error);
    throw error;
  }
}

export default class Worker extends WorkerEntrypoint {
  fetch(request) {
    return call(() => wasm.fetch.call(this, request, this.env, this.ctx));
  }

  queue(batch) {
    return call(() => wasm.queue.call(this, batch, this.env, this.ctx));
  }
}

/** A Durable Object whose inside is made again with each new instance. */
function durable(Inside) {
  return class {
    #given;
    #inside;
    #instanceId;

    static {
      for (const name of ["fetch", "alarm", "webSocketMessage", "webSocketClose", "webSocketError"]) {
        if (name in Inside.prototype) {
          this.prototype[name] = function handle(...given) {
            return call(() => this.#current()[name](...given));
          };
        }
      }
    }

    constructor(...given) {
      this.#given = given;
      this.#current();
    }

    #current() {
      renew();
      if (this.#instanceId !== state.instanceId) {
        try {
          this.#inside = new Inside(...this.#given);
        } catch (error) {
          state.criticalError = true;
          throw error;
        }
        this.#instanceId = state.instanceId;
      }
      return this.#inside;
    }
  };
}

export const UploadSession = durable(wasm.UploadSession);
export const OwnerLedger = durable(wasm.OwnerLedger);
