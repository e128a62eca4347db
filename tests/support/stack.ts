// One running Worker: the real bundle under `wrangler dev`, with its R2 bucket, Durable Objects and queues on disk in a
// fresh temporary folder, on a port of its own. It can be killed like a power cut and started again on what is left.
//
// Nothing is shared between stacks: each has its secrets, its folder and its own dev registry (without that, two
// `wrangler dev` on one machine hand each other's queue messages around).

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, delimiter, dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { Client } from "./client.ts";
import { send } from "./http.ts";
import { canListen, freePort } from "./ports.ts";
import { ProcessGroup } from "./process_group.ts";
import { waitFor } from "./wait.ts";
import { WorkerLog } from "./worker_log.ts";
import { type PageConfig, repositoryRoot, writeWranglerConfig } from "./wrangler_config.ts";

export type Secrets = {
  WEBHOOK_SECRET?: string;
  DOWNLOAD_SECRET?: string;
  TOKEN_SECRETS?: string | undefined;
  R2_ACCESS_KEY_ID?: string;
  /** Those of receivers beside the origin. */
  SEARCH_SECRET?: string;
  ARCHIVE_SECRET?: string;
  /** That of whoever looks at what is held. */
  SCANNER_SECRET?: string;
};

/** As in .dev.vars, which the tests do not read: without these, wrangler.toml asks for tokens and allows no other site. */
const DEVELOPMENT = { AUTH: "open", CORS_ORIGINS: "*" };

export type StackOptions = {
  /** Replace the values of the same name in wrangler.toml. */
  vars?: Record<string, string | number>;
  /** Replace the fresh random secrets altogether; a secret that is left out is not configured. */
  secrets?: Secrets;
  /** The folder of the bundle, if not `build`. */
  buildDir?: string;
  /** A state folder to begin with, as `packState` packed it: what an older build has left. */
  state?: string;
  /** What the demo page is told. */
  page?: PageConfig;
  /** The port, where it must be known before: for a `PUBLIC_URL` in front of the stack. */
  port?: number;
  /** So many calls of one invocation may wait for their answers at the same time, as on the platform, where it is six. */
  connections?: number;
  /** A script of this folder that stands in front of the bundle's `entry.js`: `harsh_platform.js`. */
  entry?: string;
  /** Whether its memory may be looked at: `heap.ts`. */
  inspected?: boolean;
  /** Changes wrangler.toml, where no var can. */
  configuration?: (toml: string) => string;
};

export class Stack {
  readonly baseUrl: string;
  /** Where its inspector is, with the option `inspected`. */
  readonly inspectorUrl: string;
  readonly stateDir: string;
  secrets: Secrets = {};
  readonly client: Client;
  readonly log = new WorkerLog();
  readonly #port: number;
  readonly #args: string[];
  #process: ProcessGroup | undefined;

  static async start(options: StackOptions = {}): Promise<Stack> {
    const port = options.port ?? (await freePort());
    const stack = new Stack(port, options.inspected ? await freePort() : 0, options);
    await stack.#start();
    return stack;
  }

  private constructor(port: number, inspectorPort: number, options: StackOptions) {
    const {
      vars = {},
      secrets = freshSecrets(),
      buildDir = "build",
      configuration,
      connections,
      entry,
      page,
      state,
    } = options;
    this.#port = port;
    this.inspectorUrl = `http://127.0.0.1:${inspectorPort}`;
    this.baseUrl = `http://127.0.0.1:${port}`;
    this.client = new Client(this.baseUrl);
    this.stateDir = mkdtempSync(join(tmpdir(), "quayside-test-"));
    if (state !== undefined) {
      execFileSync("tar", ["-xzf", state, "-C", this.stateDir]);
    }
    this.replaceSecrets(secrets);
    const limited: StackOptions["vars"] = connections === undefined ? {} : { CONNECTIONS: connections };
    const changes = { buildDir, page, connections: connections !== undefined, entry, change: configuration };
    this.#args = [
      join(repositoryRoot, "node_modules/wrangler/bin/wrangler.js"),
      "dev",
      ...["--config", writeWranglerConfig(this.stateDir, changes)],
      ...["--ip", "127.0.0.1", "--port", String(port), "--inspector-port", String(inspectorPort)],
      ...["--persist-to", this.persistDir, "--env-file", this.#secretsFile],
      "--show-interactive-dev-session=false",
      ...Object.entries({ ...DEVELOPMENT, PUBLIC_URL: this.baseUrl, ...limited, ...vars }).flatMap(([name, value]) => [
        "--var",
        `${name}:${value}`,
      ]),
    ];
  }

  /** Other secrets, from the next start on. */
  replaceSecrets(secrets: Secrets): void {
    this.secrets = secrets;
    const given = Object.entries(secrets).filter(([, value]) => value !== undefined);
    const lines = given.map(([name, value]) => `${name}="${value}"\n`);
    writeFileSync(this.#secretsFile, lines.join(""), { mode: 0o600 });
  }

  get #secretsFile(): string {
    return join(this.stateDir, "secrets.env");
  }

  /** Where Miniflare keeps buckets and objects. */
  get persistDir(): string {
    return join(this.stateDir, "state");
  }

  /** What Miniflare keeps, into an archive that the option `state` takes. For a Worker that has been ended: `kill` it before. */
  packState(archive: string): void {
    const kept = ["v3/do", "v3/r2"];
    for (const folder of kept.map((name) => join(this.persistDir, name))) {
      for (const file of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
        if (file.endsWith(".sqlite")) {
          // One file for each database, without the journal that lies beside it.
          const database = new DatabaseSync(join(folder, file));
          database.exec("PRAGMA busy_timeout = 10000; PRAGMA journal_mode = DELETE; VACUUM");
          database.close();
        }
      }
    }
    const folders = kept.map((name) => join(basename(this.persistDir), name));
    execFileSync("tar", ["-czf", archive, "-C", this.stateDir, ...folders]);
  }

  /** The crash: SIGKILL to wrangler and both workerds at once. The state stays. */
  async kill(): Promise<void> {
    await this.#process?.kill();
    await waitFor(`port ${this.#port} to be free again`, () => canListen(this.#port));
  }

  /** Starts again on the same state and the same port, after `kill`. */
  async restart(): Promise<void> {
    assert.ok(this.#process?.hasEnded, "it still runs: kill it before");
    await this.#start();
  }

  /**
   * The end, and the last question: whether anything went wrong inside that no answer showed. The state goes, unless
   * QUAYSIDE_KEEP_STATE asks to keep it for a look.
   */
  async stop(): Promise<void> {
    await this.#process?.terminate();
    if (process.env.QUAYSIDE_KEEP_STATE) {
      writeFileSync(join(this.stateDir, "output.log"), this.log.texts.join("\n"));
      console.log(`state and output kept in ${this.stateDir}`);
    } else {
      // What has ended may still be writing its last words.
      rmSync(this.stateDir, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
    }
    assert.deepEqual(this.log.faults(), [], "the Worker logged faults of its own");
  }

  async #start(): Promise<void> {
    const group = new ProcessGroup({
      command: process.execPath,
      args: this.#args,
      cwd: this.stateDir,
      env: this.#environment(),
      onOutput: (text) => this.log.append(text),
    });
    this.#process = group;
    const outcome = await waitFor(
      "the Worker to answer",
      async () => (group.hasEnded && "ended") || ((await answers(this.baseUrl)) && "ready"),
      { lastSeen: () => this.log.tail() },
    );
    if (outcome === "ended") {
      throw new Error(`wrangler ended before the Worker answered:\n${this.log.tail()}`);
    }
  }

  #environment(): NodeJS.ProcessEnv {
    const env: NodeJS.ProcessEnv = {
      ...process.env,
      PATH: dirname(process.execPath) + delimiter + process.env.PATH,
      NO_COLOR: "1",
      CLOUDFLARE_CF_FETCH_ENABLED: "false",
      WRANGLER_SEND_METRICS: "false",
      WRANGLER_LOG_PATH: join(this.stateDir, "wrangler-logs"),
      WRANGLER_REGISTRY_PATH: join(this.stateDir, "registry"),
    };
    mkdirSync(join(this.stateDir, "registry"), { recursive: true });
    delete env.FORCE_COLOR;
    delete env.NODE_TEST_CONTEXT;
    return env;
  }
}

export function freshSecrets(): Secrets {
  return {
    WEBHOOK_SECRET: `whsec_${randomBytes(32).toString("base64")}`,
    DOWNLOAD_SECRET: randomBytes(32).toString("hex"),
    TOKEN_SECRETS: `test:${randomBytes(32).toString("hex")}`,
  };
}

/** Any answer of the Worker's own will do: an unknown path has one. */
async function answers(baseUrl: string): Promise<boolean> {
  const reply = await send(baseUrl, "GET", "/upload/nobody");
  return reply.status < 500;
}
