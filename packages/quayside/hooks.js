// Events in process: what the Worker would POST to a webhook is given to the application's own functions. The rules are a webhook's: an
// event counts as told when its function has returned; after an exception, or when WEBHOOK_TIMEOUT_SECONDS are over, it is told again
// with the same id, with a growing delay.
//
// In the same way the application is asked before an upload is created. There an exception lets nothing in, and neither does an answer that
// JSON would say otherwise.
//
// An application may have a webhook besides (ORIGIN_WEBHOOK_URL, or the binding ORIGIN). It is told first, and the event counts as
// told when both have it, so each may hear of it more than once. Its answer is read as the Worker reads one (answers.js).

import { plain, saidBy } from "./answers.js";

/** Which function takes which event. */
const HOOKS = {
  "upload.progressed": "onProgressed",
  "upload.completed": "onCompleted",
  "upload.failed": "onFailed",
  "upload.expired": "onExpired",
  "upload.aborted": "onAborted",
  "upload.deleted": "onDeleted",
  "upload.duplicate": "onDuplicate",
  "upload.held": "onHeld",
  "upload.rejected": "onRejected",
};

/** What takes the place of the binding ORIGIN: anything with a `fetch` does. */
export function origin(options, env, context) {
  return {
    async fetch(request, init) {
      const body = await request.text();
      const event = { id: request.headers.get("webhook-id"), ...JSON.parse(body) };
      const told = await tellWebhook(request, body, init?.signal, env);
      if (told !== undefined && !told.ok) {
        return told;
      }
      try {
        const heard = told && (await saidBy(told, "the webhook"));
        const wishes = [await tell(options.onEvent, event, env, context)];
        wishes.push(await tell(options[HOOKS[event.type]], event, env, context), heard);
        const mayGo = wishes.some((wish) => wish?.disposition === "delete");
        return Response.json({
          disposition: mayGo ? "delete" : "keep",
          ...(event.type === "upload.held" && verdictOf(wishes)),
          ...resultOf(wishes, event),
        });
      } catch (error) {
        console.error(`${event.type} of upload ${event.data.uploadId} was not taken, and will be told again:`, error);
        return Response.json({}, { status: 500 });
      }
    },
  };
}

/** What is to become of what is held: where several say something, by the most careful word. One that nobody knows is a mistake: it is asked again. */
function verdictOf(wishes) {
  const unknown = wishes.find(({ verdict } = {}) => !["release", "delete", "hold", undefined, null].includes(verdict));
  if (unknown !== undefined) {
    throw new TypeError(`${JSON.stringify(unknown.verdict)} is none of release, delete and hold`);
  }
  const said = (word) => wishes.find((wish) => wish?.verdict === word);
  const { verdict, reason } = said("delete") ?? said("hold") ?? said("release") ?? {};
  return verdict === undefined ? {} : { verdict, ...(typeof reason === "string" && { reason }) };
}

/** What is said to the client. What JSON cannot say is left out: the event has been taken, and to tell it again would change nothing. */
function resultOf(wishes, { type, data }) {
  const { result } = wishes.find((wish) => wish?.result !== undefined) ?? {};
  try {
    return JSON.parse(JSON.stringify({ result }));
  } catch (error) {
    console.error(`The result of ${type} of upload ${data.uploadId} cannot be said in JSON, and is not told:`, error);
    return {};
  }
}

/** What a function says to an event. A Response is read as a webhook's, and an Error that is returned is one all the same. */
async function tell(hook, event, env, context) {
  const answer = await hook?.(event, env, context);
  if (answer instanceof Error) {
    throw answer;
  }
  return answer instanceof Response ? await saidBy(answer, "the function") : answer;
}

/** What takes the place of the binding ACCEPT. What the function returns is the answer: an object as JSON, and a Response as it is. */
export function acceptor(accept, env, context) {
  return {
    async fetch(request) {
      const question = { id: request.headers.get("webhook-id"), ...(await request.json()) };
      try {
        const answer = await accept(question, env, context);
        if (!(answer instanceof Response)) {
          return Response.json(plain(answer ?? {}, "the answer"));
        }
        // As a whole: a body that is made on the way may be no stream of bytes.
        const { status, headers } = answer;
        return new Response(await answer.text(), { status, headers });
      } catch (error) {
        console.error(`Whether ${question.data.uploadId} may be uploaded was not said, so it may not:`, error);
        return Response.json({}, { status: 500 });
      }
    },
  };
}

/** What the webhook answers; undefined where there is none. */
async function tellWebhook(request, body, signal, env) {
  if (!env.ORIGIN && !`${env.ORIGIN_WEBHOOK_URL ?? ""}`.trim()) {
    return undefined;
  }
  const { url, headers } = request;
  const init = { method: "POST", headers, body, redirect: "manual", signal };
  return env.ORIGIN ? await env.ORIGIN.fetch(url, init) : await fetch(url, init);
}
