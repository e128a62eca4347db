// WebKit by W3C WebDriver: Debian's WebKitWebDriver, which opens a window of GTK on a display that exists only in memory (Xvfb), where
// there is no other. Each profile is a session, and a driver has one session at a time.

import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { setTimeout } from "node:timers/promises";

import { freePort } from "../../support/ports.ts";
import { waitFor } from "../../support/wait.ts";
import type { Engine, Profile, Tab } from "./engine.ts";

/** The name under which WebDriver gives references to elements. */
const ELEMENT = "element-6066-11e4-a52e-4f735466cecf";

/** Far more than any page here takes. */
const PAGE_LOAD_MS = 60_000;
/** The driver itself says after the time above that a page has not loaded. */
const ANSWER_MS = PAGE_LOAD_MS + 15_000;
const CLOSING_MS = 10_000;

export class WebKit implements Engine {
  readonly #url: string;
  readonly #driver: ChildProcess;
  readonly #display: ChildProcess | undefined;

  static async launch(program: string): Promise<WebKit> {
    const display = process.env.DISPLAY ? undefined : await startDisplay();
    const port = await freePort();
    const env = { ...process.env, ...(display === undefined ? {} : { DISPLAY: display.name }) };
    const driver = spawn(program, ["--host=127.0.0.1", `--port=${port}`], { env, stdio: "ignore" });
    const webkit = new WebKit(`http://127.0.0.1:${port}`, driver, display?.process);
    await waitFor("WebKit's driver to answer", async () => (await fetch(`${webkit.#url}/status`)).ok);
    return webkit;
  }

  private constructor(url: string, driver: ChildProcess, display: ChildProcess | undefined) {
    this.#url = url;
    this.#driver = driver;
    this.#display = display;
  }

  async newProfile(): Promise<Profile> {
    const { sessionId } = (await this.#ask("POST", "/session", {
      capabilities: { alwaysMatch: { timeouts: { pageLoad: PAGE_LOAD_MS } } },
    })) as { sessionId: string };
    return new Session((method, path, body) => this.#ask(method, `/session/${sessionId}${path}`, body));
  }

  async close(): Promise<void> {
    this.#driver.kill("SIGKILL");
    this.#display?.kill();
  }

  async #ask(method: string, path: string, body?: object): Promise<unknown> {
    const content = body === undefined ? {} : { body: JSON.stringify(body) };
    const answer = await fetch(this.#url + path, { method, signal: AbortSignal.timeout(ANSWER_MS), ...content });
    const { value } = (await answer.json()) as { value: { error?: string; message?: string } };
    if (!answer.ok) {
      throw new Error(`WebDriver: ${value.error}: ${value.message} (${method} ${path})`);
    }
    return value;
  }
}

/** One request of WebDriver, and the value of its answer. */
type Ask = (method: string, path: string, body?: object) => Promise<unknown>;

/** Commands are about one tab at a time, the one that was switched to last; so each command of a tab switches before. */
class Session implements Profile {
  readonly #ask: Ask;
  /** Of the tab with which a session begins, until somebody uses it. */
  #isFirstTabUsed = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  async newTab(): Promise<Tab> {
    const handle = await this.#inTurn(async () => {
      if (!this.#isFirstTabUsed) {
        this.#isFirstTabUsed = true;
        return (await this.#ask("GET", "/window")) as string;
      }
      return ((await this.#ask("POST", "/window/new", { type: "tab" })) as { handle: string }).handle;
    });
    const command: Ask = (method, path, body) =>
      this.#inTurn(async () => {
        await this.#ask("POST", "/window", { handle });
        return await this.#ask(method, path, body);
      });
    const element = async (selector: string) => {
      const query = { using: "css selector", value: selector };
      return ((await command("POST", "/element", query)) as { [ELEMENT]: string })[ELEMENT];
    };
    return {
      goto: async (url) => void (await command("POST", "/url", { url })),
      evaluate: async (expression) =>
        (await command("POST", "/execute/sync", { script: `return (${expression});`, args: [] })) as never,
      setFiles: async (selector, paths) =>
        void (await command("POST", `/element/${await element(selector)}/value`, { text: paths.join("\n") })),
      click: async (selector) => void (await command("POST", `/element/${await element(selector)}/click`, {})),
      close: async () => void (await command("DELETE", "/window")),
    };
  }

  async close(): Promise<void> {
    // A window with a page that is waiting may not close; the driver's end closes it.
    const ending = this.#inTurn(() => this.#ask("DELETE", "")).catch(() => {});
    await Promise.race([ending, setTimeout(CLOSING_MS, undefined, { ref: false })]);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work, work);
    this.#last = done.catch(() => {});
    return done;
  }
}

/** It chooses a number that is free, and says it when it is ready. */
async function startDisplay(): Promise<{ name: string; process: ChildProcess }> {
  const args = ["-displayfd", "3", "-screen", "0", "1280x900x24", "-nolisten", "tcp"];
  const display = spawn("Xvfb", args, { stdio: ["ignore", "ignore", "ignore", "pipe"] });
  const number = await new Promise<string>((resolve, reject) => {
    display.once("error", reject);
    display.once("exit", (code) => reject(new Error(`Xvfb ended with ${code}`)));
    (display.stdio[3] as Readable).once("data", (text) => resolve(String(text).trim()));
  });
  return { name: `:${number}`, process: display };
}
