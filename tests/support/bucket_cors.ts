// What R2 does with a bucket's CORS rules, which its simulator has not: `deploy/r2-cors.json`, for one page. What the rules
// do not name is not allowed, and then a browser shows a network error.

import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";

import { repositoryRoot } from "./wrangler_config.ts";

type Rule = { allowed: { methods: string[]; headers: string[] }; exposeHeaders: string[]; maxAgeSeconds: number };

export class BucketCors {
  readonly #origin: string;
  readonly #rules: Rule[];

  /** For this page in the place of those that the file names. */
  constructor(origin: string) {
    this.#origin = origin;
    const { rules } = JSON.parse(readFileSync(join(repositoryRoot, "deploy/r2-cors.json"), "utf8")) as {
      rules: Rule[];
    };
    this.#rules = rules;
  }

  /** Adds to the answer what allows the request, or nothing. */
  allow({ headers, method = "" }: IncomingMessage, answer: ServerResponse): void {
    const wanted = method === "OPTIONS" ? headers["access-control-request-method"] : method;
    const named = String(headers["access-control-request-headers"] ?? "").split(",");
    const rule = this.#rules.find(
      ({ allowed }) =>
        allowed.methods.includes(String(wanted)) &&
        named.every((name) => name === "" || allowed.headers.includes(name.trim().toLowerCase())),
    );
    if (rule === undefined || headers.origin !== this.#origin) {
      return;
    }
    answer.setHeader("Access-Control-Allow-Origin", this.#origin);
    answer.setHeader("Access-Control-Allow-Methods", rule.allowed.methods.join(", "));
    answer.setHeader("Access-Control-Allow-Headers", rule.allowed.headers.join(", "));
    answer.setHeader("Access-Control-Expose-Headers", rule.exposeHeaders.join(", "));
    answer.setHeader("Access-Control-Max-Age", rule.maxAgeSeconds);
  }

  hasAllowed(answer: ServerResponse): boolean {
    return answer.hasHeader("Access-Control-Allow-Origin");
  }
}
