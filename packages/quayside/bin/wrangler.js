// The project's wrangler: what it understands of the configuration, and its commands.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";

import { Mistake } from "./mistake.js";

/** In the order in which wrangler looks for them, each here and in every folder above: it reads the first alone. */
export const CONFIGURATIONS = ["wrangler.json", "wrangler.jsonc", "wrangler.toml"];

/** The file that wrangler would read here. */
export function configurationPath() {
  const all = CONFIGURATIONS.flatMap((name) => foldersUpwards().map((folder) => join(folder, name)));
  return all.find(existsSync);
}

/** This folder, and all above it. */
export function foldersUpwards(folder = process.cwd()) {
  const above = dirname(folder);
  return above === folder ? [folder] : [folder, ...foldersUpwards(above)];
}

/** The environment that is meant; undefined where it is none. wrangler minds CLOUDFLARE_ENV where no option says one. */
export function environment(asked) {
  return (asked ?? process.env.CLOUDFLARE_ENV) || undefined;
}

/** What wrangler understands of the project's configuration, in this environment. */
export async function configuration(env) {
  return await understood(env, false);
}

/** What wrangler deploys: the project's configuration, or the one that a build has put in its place. */
export async function deployedConfiguration(env) {
  return await understood(
    env,
    foldersUpwards().some((folder) => existsSync(join(folder, ".wrangler/deploy/config.json"))),
  );
}

async function understood(env, isRedirected) {
  const { unstable_readConfig: readConfig } = await import(pathToFileURL(installed("wrangler")).href);
  try {
    const { configPath, definedEnvironments } = readConfig({ env: "" }, { hideWarnings: true });
    if (configPath === undefined && !isRedirected) {
      throw new Mistake(`there is no ${CONFIGURATIONS.join(", ")} here: \`npx quayside init\` writes one`);
    }
    // wrangler itself would go on, under another name and without a binding.
    if (env !== undefined && !isRedirected && !(definedEnvironments ?? [env]).includes(env)) {
      throw new Mistake(`${relative("", configPath)} has no environment ${env}`);
    }
    warnOfOthers(configPath);
    return readConfig({ env: env ?? "" }, { useRedirectIfAvailable: isRedirected });
  } catch (error) {
    throw asMistake(error);
  }
}

/** A second configuration stands there unread. */
function warnOfOthers(read = "") {
  const name = basename(read);
  const others = CONFIGURATIONS.filter((other) => other !== name && existsSync(join(dirname(read), other)));
  if (others.length > 0) {
    console.error(`${name} is read, and ${others.join(" and ")} beside it is not`);
  }
}

/** wrangler marks what it means for its users, but for an environment that was not built. */
function asMistake(error) {
  const isForUsers =
    error instanceof Error && ("telemetryMessage" in error || /target environment/.test(error.message));
  if (!isForUsers) {
    return error;
  }
  const { file, line } = error.location ?? {};
  const place = file === undefined ? "" : `${relative("", file)}, line ${line}: `;
  return new Mistake(`${place}${error.message.trim()}`);
}

/** Where something of the project's wrangler is. */
function installed(name) {
  try {
    return createRequire(join(process.cwd(), "package.json")).resolve(name);
  } catch {
    throw new Mistake("wrangler is not installed here: npm install --save-dev wrangler node@22");
  }
}

/** Runs wrangler. A secret goes by its standard input, where nobody sees it. */
export function wrangler(args, input) {
  const options = { input, stdio: [input === undefined ? "inherit" : "pipe", "pipe", "pipe"], encoding: "utf8" };
  let ended = spawnSync("wrangler", args, options);
  if (ended.error?.code === "ENOENT") {
    ended = spawnSync(process.execPath, [program(), ...args], options);
  }
  const { status, stdout, stderr, error } = ended;
  return { status, stdout, stderr, said: error === undefined ? stdout + stderr : `${error.message}\n` };
}

/** For who has not come by npm or npx, which have wrangler in their path. */
function program() {
  const manifest = installed("wrangler/package.json");
  return join(dirname(manifest), JSON.parse(readFileSync(manifest, "utf8")).bin.wrangler);
}

/** What wrangler prints where it must succeed. Its warnings are shown. */
export function wranglerSays(args, input) {
  const { status, stdout, stderr, said } = wrangler(args, input);
  if (status !== 0) {
    throw new Mistake(`wrangler ${args.join(" ")} failed:\n${said}`);
  }
  if (stderr.trim() !== "") {
    console.error(stderr.trimEnd());
  }
  return stdout;
}
