// A child process with all its descendants as one group, which ends as a whole: by a signal, or with this process.
//
// `wrangler dev` starts workerd twice and esbuild; a SIGKILL that met only wrangler would be no crash of the Worker.

import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";

const TERMINATE_GRACE_MS = 10_000;
const guard = join(import.meta.dirname, "guard.ts");

export type ProcessGroupOptions = {
  command: string;
  args: string[];
  env: NodeJS.ProcessEnv;
  cwd: string;
  onOutput: (text: string) => void;
};

export class ProcessGroup {
  /** Resolves when the child has ended and nobody holds its output any more. */
  readonly ended: Promise<void>;
  /** Whether it has. */
  hasEnded = false;
  readonly #child: ChildProcess;

  constructor({ command, args, env, cwd, onOutput }: ProcessGroupOptions) {
    // The guard's stdin closes when this process ends, and with that the group.
    this.#child = spawn(process.execPath, [guard, command, ...args], { env, cwd, detached: true, stdio: "pipe" });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8").on("data", onOutput);
    }
    this.ended = new Promise((resolve) => {
      this.#child.once("close", () => {
        this.hasEnded = true;
        resolve();
      });
    });
  }

  /** The crash: no process of the group gets to run another instruction. */
  async kill(): Promise<void> {
    this.#signal("SIGKILL");
    await this.ended;
  }

  /** The orderly end; whoever does not obey is killed. */
  async terminate(): Promise<void> {
    this.#signal("SIGTERM");
    const impatience = setTimeout(() => this.#signal("SIGKILL"), TERMINATE_GRACE_MS);
    await this.ended;
    clearTimeout(impatience);
    this.#signal("SIGKILL");
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#child.pid === undefined) {
      return;
    }
    try {
      process.kill(-this.#child.pid, signal);
    } catch {
      // Nobody is left in the group.
    }
  }
}
