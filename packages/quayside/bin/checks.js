// What can be told of a deployment from its configuration alone, as wrangler understands it.

import { NUMBERS, TEXTS } from "./settings.js";

/** What the Worker does not work without: in which list of the configuration, and what names an entry. */
const BINDINGS = [
  ["BUCKET", "r2_buckets", ({ r2_buckets: buckets }) => buckets, "binding"],
  ["UPLOAD_SESSIONS", "durable_objects", ({ durable_objects: objects }) => objects.bindings, "name"],
  ["OWNER_LEDGERS", "durable_objects", ({ durable_objects: objects }) => objects.bindings, "name"],
  ["EVENTS", "queues.producers", ({ queues }) => queues.producers, "binding"],
  ["TASKS", "queues.producers", ({ queues }) => queues.producers, "binding"],
  ["DEAD_LETTERS", "queues.producers", ({ queues }) => queues.producers, "binding"],
  ["CREATIONS_BY_OWNER", "ratelimits", ({ ratelimits }) => ratelimits, "name"],
  ["CREATIONS_BY_ADDRESS", "ratelimits", ({ ratelimits }) => ratelimits, "name"],
];
const LEAST_DATE = "2026-10-01";
/** A name of the documentation's, as a whole: `myexample.com` is somebody's. */
const PLACEHOLDER = /(?<![a-z0-9-])example\.com(?!\.?[a-z0-9-])/i;

const isWhole = (value) => Number.isSafeInteger(value) && value >= 0;

/** What is wrong with it. */
export function complaints(config) {
  const vars = config.vars ?? {};
  const found = BINDINGS.filter(([name, , list, key]) => !list(config)?.some((entry) => entry[key] === name)).map(
    ([name, list]) => `${list} has no ${name}`,
  );
  const demand = (holds, complaint) => holds || found.push(complaint);
  for (const { binding, bucket_name: bucket } of config.r2_buckets) {
    demand(binding !== "BUCKET" || bucket, "r2_buckets has no bucket_name for BUCKET");
  }
  const dead = config.queues.producers.find(({ binding }) => binding === "DEAD_LETTERS")?.queue;
  demand(
    !dead || dead.endsWith("dead-letters"),
    `the queue of DEAD_LETTERS is ${dead}: its name must end with dead-letters`,
  );
  const consumed = config.queues.consumers.map(({ queue }) => queue);
  for (const { binding, queue } of config.queues.producers) {
    const isOurs = BINDINGS.some(([name]) => name === binding);
    demand(!isOurs || consumed.includes(queue), `queues.consumers has none for ${queue}, which ${binding} writes to`);
  }
  demand(
    (config.compatibility_date ?? "") >= LEAST_DATE,
    `compatibility_date is before ${LEAST_DATE}: an object could be evicted while it waits for R2`,
  );
  const isRead = (name, value) =>
    value === undefined || typeof value === "string" || (NUMBERS.includes(name) && isWhole(value));
  for (const name of [...TEXTS, ...NUMBERS]) {
    demand(isRead(name, vars[name]), `${name} is not text: put it between quotes`);
  }
  demand(vars.AUTH !== "open", 'AUTH is "open", which works on your own machine only');
  demand(!vars.ORIGIN_WEBHOOK_URL || vars.PUBLIC_URL, "ORIGIN_WEBHOOK_URL is set, and PUBLIC_URL is not");
  const routes = [config.route, ...(config.routes ?? [])].filter(Boolean);
  const named = [...routes.map((route) => ["route", route.pattern ?? route]), ...Object.entries(vars)];
  for (const [name, value] of named) {
    demand(typeof value !== "string" || !PLACEHOLDER.test(value), `${name} = ${value} is still the example's`);
  }
  return found;
}

/** Secrets that the Worker needs with these settings: those that may be made here, and those that somebody else gives. */
export function neededSecrets(config) {
  const isSet = (name) => Boolean(config.vars?.[name]);
  const own = ["WEBHOOK_SECRET", "DOWNLOAD_SECRET"];
  if (!["TOKEN_PUBLIC_KEYS", "TOKEN_JWKS_URL", "TOKEN_ISSUERS"].some(isSet)) {
    own.push("TOKEN_SECRETS");
  }
  return { own, given: isSet("R2_S3_ENDPOINT") ? ["R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY"] : [] };
}
