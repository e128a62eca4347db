// What can be told of a deployment from its configuration alone, as wrangler understands it.

import { isPublic } from "./public_address.js";
import { receiversOf, scannerOf } from "./receiver_values.js";
import { SECRETS, TEXTS } from "./settings.js";
import { trimmed } from "./text.js";
import { defaultBuckets, hasIssuers, hasKeys } from "./token_values.js";
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
const DEAD_LETTERS = "dead-letters";
const LEAST_DATE = "2026-10-01";
/** A name of the documentation's, as a whole: `myexample.com` is somebody's. */
const PLACEHOLDER = /(?<![a-z0-9-])example\.com(?!\.?[a-z0-9-])/i;
/** How many messages of a queue may come at once: each is a request of its own, and an invocation has six connections. */
const LARGEST_BATCHES = { EVENTS: 4, TASKS: 1 };
/** The class of each, and the one that it is not. */
const CLASSES = { UPLOAD_SESSIONS: ["UploadSession", "OwnerLedger"], OWNER_LEDGERS: ["OwnerLedger", "UploadSession"] };
/** Bindings that take the place of an address. */
const IN_PLACE = { ORIGIN_WEBHOOK_URL: "ORIGIN", ACCEPT_HOOK: "ACCEPT" };

/** What is wrong with it. */
export function complaints(config) {
  const missing = BINDINGS.filter(([name, , list, key]) => !list(config)?.some((entry) => entry[key] === name));
  return [
    ...missing.map(([name, list]) => `${list} has no ${name}`),
    ...ofBucket(config),
    ...ofClasses(config),
    ...ofQueues(config),
    ...ofRateLimits(config),
    ...ofDate(config),
    ...valueComplaints(config.vars ?? {}),
    ...ofDeployment(config),
    ...ofReceivers(config),
    ...ofSecrets(config),
    ...ofExamples(config),
  ];
}

function ofBucket({ r2_buckets: buckets, vars = {} }) {
  const named = defaultBuckets(vars).map((name) => [name, `BUCKET_${name.toUpperCase().replaceAll("-", "_")}`]);
  const ours = ["BUCKET", ...named.map(([, bound]) => bound)];
  const nameless = buckets.filter(({ binding, bucket_name: bucket }) => ours.includes(binding) && !bucket);
  const unbound = named.filter(([, bound]) => !buckets.some(({ binding }) => binding === bound));
  return [
    ...nameless.map(({ binding }) => `r2_buckets has no bucket_name for ${binding}`),
    ...unbound.map(([name, bound]) => `The bucket ${name} has no binding: r2_buckets has no ${bound}`),
  ];
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
  return [
    ...unmade.map(({ class_name: name }) => `migrations has no new_sqlite_classes with ${name}`),
    ...ofSwappedClasses(own),
  ];
}

/** A class may have another name, and never the other's. */
function ofSwappedClasses(own) {
  const swapped = own.filter(({ name, class_name: given }) => CLASSES[name]?.[1] === given);
  return swapped.map(({ name, class_name: given }) => `${name} is bound to ${given}: its class is ${CLASSES[name][0]}`);
}

/** Each counts by itself: under one number both would count together. */
function ofRateLimits({ ratelimits = [] }) {
  const shared = ratelimits.filter(({ name, namespace_id: id }) => {
    return isOurs(name) && ratelimits.some((other) => other.name !== name && other.namespace_id === id);
  });
  return shared.map(({ name, namespace_id: id }) => `ratelimits: namespace_id ${id} of ${name} is another's, too`);
}

function ofQueues({ queues: { producers, consumers } }) {
  const found = [];
  const dead = producers.find(({ binding }) => binding === "DEAD_LETTERS")?.queue;
  if (dead && !dead.endsWith(DEAD_LETTERS)) {
    found.push(`the queue of DEAD_LETTERS is ${dead}: its name must end with ${DEAD_LETTERS}`);
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
  if (queue.endsWith(DEAD_LETTERS)) {
    found.push(
      `the queue of ${binding} is ${queue}: what comes from a name that ends with ${DEAD_LETTERS} is only logged`,
    );
  }
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
  const text = (name) => trimmed(`${vars[name] ?? ""}`);
  const found = [];
  if (text("AUTH") === "open") {
    found.push('AUTH is "open", which works on your own machine only');
  }
  const isBound = (name) => services?.some(({ binding }) => binding === IN_PLACE[name]) === true;
  if (text("ORIGIN_WEBHOOK_URL") && !isBound("ORIGIN_WEBHOOK_URL") && !text("PUBLIC_URL")) {
    found.push("ORIGIN_WEBHOOK_URL is set, and PUBLIC_URL is not");
  }
  const named = ["PUBLIC_URL", "PUBLIC_FILES_URL", "ORIGIN_WEBHOOK_URL", "ACCEPT_HOOK"];
  const remote = named.filter((name) => text(name) && !isBound(name));
  for (const name of remote.filter((name) => !isPublic(text(name)))) {
    found.push(`${name} = ${text(name)} is not a public address that begins with https://`);
  }
  return found;
}

/** Whoever is told by a binding, and whoever is told of links. */
function ofReceivers({ vars = {}, queues: { producers }, services }) {
  const bound = { queue: producers, service: services ?? [] };
  const of = (setting, read) => read(trimmed(`${vars[setting] ?? ""}`)).map((entry) => ({ setting, ...entry }));
  const listed = [...of("EVENT_RECEIVERS", receiversOf), ...of("SCANNER", scannerOf)];
  const found = [];
  for (const { setting, name, ...entry } of listed) {
    for (const way of ["queue", "service"].filter((way) => entry[way] !== undefined)) {
      if (!bound[way].some(({ binding }) => binding === entry[way])) {
        found.push(`${setting}: ${entry[way]} of ${name} is no binding of a ${way}`);
      }
    }
  }
  if (listed.some(({ url }) => url !== undefined) && trimmed(`${vars.PUBLIC_URL ?? ""}`) === "") {
    found.push("EVENT_RECEIVERS or SCANNER has addresses, and PUBLIC_URL is not set");
  }
  return found;
}

/** Vars are in the repository, and in the dashboard for everybody; and no secret can have the name of a var. */
function ofSecrets({ vars = {} }) {
  const told = [...new Set([...SECRETS, ...signing(vars)])].filter((name) => Object.hasOwn(vars, name));
  return told.map(
    (name) => `${name} is a secret, and stands among the vars: take it out. \`quayside secrets\` puts it`,
  );
}

/** In the routes, and in what is Quayside's of the vars. */
function ofExamples({ vars = {}, route, routes = [] }) {
  const all = [route, ...(routes ?? [])].filter(Boolean);
  const named = [...all.map((one) => ["route", one.pattern ?? one]), ...TEXTS.map((name) => [name, vars[name]])];
  const left = named.filter(([, value]) => typeof value === "string" && PLACEHOLDER.test(value));
  return left.map(([name, value]) => `${name} = ${value} is still the example's`);
}

/** Those that receivers and the scanner name: what these are told is signed with them. */
function signing(vars) {
  const of = (setting, read) => read(trimmed(`${vars[setting] ?? ""}`));
  const told = [...of("EVENT_RECEIVERS", receiversOf), ...of("SCANNER", scannerOf)];
  return [...new Set(told.flatMap(({ secret }) => (secret === undefined ? [] : [secret])))];
}

/**
 * Secrets that the Worker needs with these settings: those that may be made here, and those that somebody else gives, of which some are for
 * what receivers are told.
 */
export function neededSecrets(config) {
  const text = (name) => trimmed(`${config.vars?.[name] ?? ""}`);
  const isSet = (name) => text(name) !== "";
  const own = ["WEBHOOK_SECRET", "DOWNLOAD_SECRET"];
  if (!isSet("TOKEN_JWKS_URL") && !hasKeys(text("TOKEN_PUBLIC_KEYS")) && !hasIssuers(text("TOKEN_ISSUERS"))) {
    own.push("TOKEN_SECRETS");
  }
  const given = isSet("R2_S3_ENDPOINT") ? ["R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY"] : [];
  const named = signing(config.vars ?? {});
  return { own, given: [...given, ...named.filter((name) => !own.includes(name))], signing: named };
}
