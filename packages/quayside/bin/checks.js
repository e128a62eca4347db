// What can be told of a deployment from its configuration alone, as wrangler understands it.

import { SECRETS } from "./settings.js";
import { valueComplaints } from "./values.js";

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
/** How many messages of a queue may come at once: each is a request of its own, and an invocation has six connections. */
const LARGEST_BATCHES = { EVENTS: 4, TASKS: 1 };
/** Where nobody outside this machine, or its network, gets to. */
const LOCAL = /^(localhost|127\..*|\[.*|[^.]*)$|\.localhost$/;

/** What is wrong with it. */
export function complaints(config) {
  const missing = BINDINGS.filter(([name, , list, key]) => !list(config)?.some((entry) => entry[key] === name));
  return [
    ...missing.map(([name, list]) => `${list} has no ${name}`),
    ...ofBucket(config),
    ...ofClasses(config),
    ...ofQueues(config),
    ...ofDate(config),
    ...valueComplaints(config.vars ?? {}),
    ...ofDeployment(config),
    ...ofSecrets(config),
    ...ofExamples(config),
  ];
}

function ofBucket({ r2_buckets: buckets }) {
  const isNameless = buckets.some(({ binding, bucket_name: bucket }) => binding === "BUCKET" && !bucket);
  return isNameless ? ["r2_buckets has no bucket_name for BUCKET"] : [];
}

/** A class of another Worker has its migration there. */
function ofClasses({ durable_objects: objects, migrations, exports: declared = {} }) {
  const own = objects.bindings.filter(({ name, script_name: script }) => isOurs(name) && !script);
  const made = new Set(Object.keys(declared));
  for (const migration of migrations ?? []) {
    const {
      new_sqlite_classes: fresh = [],
      renamed_classes: renamed = [],
      transferred_classes: moved = [],
    } = migration;
    for (const name of [...fresh, ...[...renamed, ...moved].map(({ to }) => to)]) {
      made.add(name);
    }
    for (const name of [...(migration.deleted_classes ?? []), ...renamed.map(({ from }) => from)]) {
      made.delete(name);
    }
  }
  const unmade = own.filter(({ class_name: name }) => !made.has(name));
  return unmade.map(({ class_name: name }) => `migrations has no new_sqlite_classes with ${name}`);
}

function ofQueues({ queues: { producers, consumers } }) {
  const found = [];
  const dead = producers.find(({ binding }) => binding === "DEAD_LETTERS")?.queue;
  if (dead && !dead.endsWith("dead-letters")) {
    found.push(`the queue of DEAD_LETTERS is ${dead}: its name must end with dead-letters`);
  }
  for (const { binding, queue } of producers.filter(({ binding }) => isOurs(binding))) {
    const consumer = consumers.find((consumer) => consumer.queue === queue);
    const none = `queues.consumers has none for ${queue}, which ${binding} writes to`;
    found.push(...(consumer === undefined ? [none] : ofConsumer(binding, consumer, dead)));
  }
  return found;
}

function ofConsumer(binding, { queue, max_batch_size: size, dead_letter_queue: dead }, deadLetters) {
  const most = LARGEST_BATCHES[binding];
  if (most === undefined) {
    return [];
  }
  const found = [];
  if (!(size <= most)) {
    found.push(`queues.consumers: max_batch_size of ${queue} is not set, or above ${most}`);
  }
  if (deadLetters !== undefined && dead !== deadLetters) {
    found.push(`queues.consumers: dead_letter_queue of ${queue} is not ${deadLetters}`);
  }
  return found;
}

function isOurs(binding) {
  return BINDINGS.some(([name]) => name === binding);
}

function ofDate({ compatibility_date: date }) {
  const isOld = (date ?? "") < LEAST_DATE;
  return isOld ? [`compatibility_date is before ${LEAST_DATE}: an object could be evicted while it waits for R2`] : [];
}

/** What is right on one's own machine, and nowhere else. */
function ofDeployment({ vars = {}, services = [] }) {
  const text = (name) => `${vars[name] ?? ""}`.trim();
  const found = [];
  if (text("AUTH") === "open") {
    found.push('AUTH is "open", which works on your own machine only');
  }
  const isBound = services.some(({ binding }) => binding === "ORIGIN");
  if (text("ORIGIN_WEBHOOK_URL") && !isBound && !text("PUBLIC_URL")) {
    found.push("ORIGIN_WEBHOOK_URL is set, and PUBLIC_URL is not");
  }
  for (const name of ["PUBLIC_URL", "ORIGIN_WEBHOOK_URL", "ACCEPT_HOOK"].filter(text)) {
    if (!isPublic(text(name))) {
      found.push(`${name} = ${text(name)} is not a public address that begins with https://`);
    }
  }
  return found;
}

function isPublic(address) {
  const { protocol, hostname } = URL.canParse(address) ? new URL(address) : {};
  return protocol === "https:" && !LOCAL.test(hostname);
}

/** Vars are in the repository, and in the dashboard for everybody; and no secret can have the name of a var. */
function ofSecrets({ vars = {} }) {
  const told = SECRETS.filter((name) => Object.hasOwn(vars, name));
  return told.map(
    (name) => `${name} is a secret, and stands among the vars: take it out. \`quayside secrets\` puts it`,
  );
}

function ofExamples({ vars = {}, route, routes = [] }) {
  const all = [route, ...(routes ?? [])].filter(Boolean);
  const named = [...all.map((one) => ["route", one.pattern ?? one]), ...Object.entries(vars)];
  const left = named.filter(([, value]) => typeof value === "string" && PLACEHOLDER.test(value));
  return left.map(([name, value]) => `${name} = ${value} is still the example's`);
}

/** Secrets that the Worker needs with these settings: those that may be made here, and those that somebody else gives. */
export function neededSecrets(config) {
  const isSet = (name) => Boolean(`${config.vars?.[name] ?? ""}`.trim());
  const own = ["WEBHOOK_SECRET", "DOWNLOAD_SECRET"];
  if (!["TOKEN_PUBLIC_KEYS", "TOKEN_JWKS_URL", "TOKEN_ISSUERS"].some(isSet)) {
    own.push("TOKEN_SECRETS");
  }
  return { own, given: isSet("R2_S3_ENDPOINT") ? ["R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY"] : [] };
}
