// The probe's routes. `GET /report` asks R2 and a Durable Object; `/body/…` are the other half of questions that whoever runs the
// probe asks by how it sends. Nobody is answered without the token of this run.

import { noteWhenCut, read, seen } from "./bodies.ts";
import type { Context, Env } from "./platform.ts";
import { type Answer, answered } from "./question.ts";
import { r2Questions } from "./r2.ts";

export { Probe } from "./object.ts";

export default {
  async fetch(request: Request, env: Env, context: Context): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (env.PROBE_TOKEN === "" || request.headers.get("Authorization") !== `Bearer ${env.PROBE_TOKEN}`) {
      return new Response("not for you", { status: 403 });
    }
    const cutKey = `probe/${env.PROBE_TOKEN}/cut`;
    switch (pathname) {
      case "/report":
        return Response.json(await report(env));
      case "/seen": {
        const answer = searchParams.get("answer") === "yes" ? "yes" : "no";
        return Response.json(seen(searchParams.get("id") ?? "", { answer, detail: searchParams.get("detail") ?? "" }));
      }
      case "/body/read":
        return Response.json(await read(request));
      case "/body/early":
        return new Response("before its end", { status: 409 });
      case "/body/cut":
        return await noteWhenCut(request, env.BUCKET, cutKey, context);
      case "/body/cut/note": {
        const note = await env.BUCKET.get(cutKey);
        const text = note === null ? null : new TextDecoder().decode(await note.arrayBuffer());
        if (text !== null) {
          await env.BUCKET.delete(cutKey);
        }
        return Response.json(text);
      }
      default:
        return new Response("no such route", { status: 404 });
    }
  },
};

/** One question after the other: some are about what happens at the same time. */
async function report(env: Env): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (const question of r2Questions(env.BUCKET, env.PROBE_TOKEN)) {
    answers.push(await answered(question));
  }
  const inObject = await env.PROBES.get(env.PROBES.idFromName(env.PROBE_TOKEN)).fetch("https://object/");
  return [...answers, ...((await inObject.json()) as Answer[])];
}
