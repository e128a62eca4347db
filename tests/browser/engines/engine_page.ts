// The demo page in any engine, asked by expressions alone: files are chosen, the start is pressed, rows are read.

import { waitFor } from "../../support/wait.ts";
import { FILE_INPUT, IS_READY, START_BUTTON } from "../selectors.ts";
import type { TestFile } from "../service.ts";
import type { Tab } from "./engine.ts";

/** Longer than an engine waits for its driver, so that it is said when that is what is silent. */
const GIVE_UP_MS = 120_000;

/** What a row of the list shows. */
interface Row {
  readonly stage: string;
  readonly percent: number;
  readonly text: string;
  readonly uploadId: string | null;
}

export class EnginePage {
  readonly #tab: Tab;

  static async open(tab: Tab, url: string): Promise<EnginePage> {
    const page = new EnginePage(tab);
    await tab.goto(url);
    await page.#untilReady();
    return page;
  }

  private constructor(tab: Tab) {
    this.#tab = tab;
  }

  /** Does not wait for what is held back: `untilReloaded` does. */
  async reload(): Promise<void> {
    await this.#tab.evaluate("(globalThis.isOld = true, setTimeout(() => location.reload()), null)");
  }

  async untilReloaded(): Promise<void> {
    await this.#wait("another page", () => this.#tab.evaluate<boolean>("globalThis.isOld !== true"));
    await this.#untilReady();
  }

  close(): Promise<void> {
    return this.#tab.close();
  }

  async choose(file: TestFile): Promise<void> {
    await this.#tab.setFiles(FILE_INPUT, [file.path]);
    await this.#until(file, "to be in the list", () => true);
  }

  async start(): Promise<void> {
    let seen: string | null = null;
    const press = async () => {
      seen = await this.#tab.evaluate<string>("document.body.innerText");
      await this.#tab.click(START_BUTTON);
      return true;
    };
    await this.#wait("the button to start", press, () => seen);
  }

  async send(file: TestFile): Promise<void> {
    await this.choose(file);
    await this.start();
  }

  untilStage(file: TestFile, stage: string): Promise<Row> {
    return this.#until(file, `to be ${stage}`, (row) => row.stage === stage);
  }

  untilPercent(file: TestFile, atLeast: number): Promise<Row> {
    return this.#until(file, `to be at ${atLeast} %`, (row) => row.percent >= atLeast);
  }

  untilText(file: TestFile, text: RegExp): Promise<Row> {
    return this.#until(file, `to say ${text}`, (row) => text.test(row.text));
  }

  /** Waits until it has said "Resuming from 43 %", however short that was, and says the number. */
  async resumedFrom(file: TestFile): Promise<number> {
    const said = `globalThis.resumedFrom?.[${JSON.stringify(file.name)}] ?? null`;
    const probe = async () => {
      const percent = await this.#tab.evaluate<number | null>(said);
      return percent !== null && { percent };
    };
    return (await this.#wait(`${file.name} to say that it resumes`, probe)).percent;
  }

  /** Waits for the origin's record in the row; the upload's id. */
  async untilRecorded(file: TestFile): Promise<string> {
    const row = await this.#until(file, "to be recorded", ({ stage, uploadId }) => stage === "delivered" && !!uploadId);
    return String(row.uploadId);
  }

  async #untilReady(): Promise<void> {
    await this.#wait("the page to be ready", () => this.#tab.evaluate<boolean>(IS_READY));
    await this.#tab.evaluate(NOTE_RESUMPTIONS);
  }

  async #until(file: TestFile, what: string, is: (row: Row) => boolean): Promise<Row> {
    let seen: Row | null = null;
    const probe = async () => {
      seen = await this.#tab.evaluate<Row | null>(rowOf(file.name));
      return seen !== null && is(seen) && seen;
    };
    return await this.#wait(`${file.name} ${what}`, probe, () => seen);
  }

  #wait<T>(what: string, probe: () => Promise<T | false>, lastSeen?: () => unknown): Promise<T> {
    return waitFor(what, probe, { giveUpMs: GIVE_UP_MS, ...(lastSeen && { lastSeen }) });
  }
}

/** From then on the page keeps what its rows say of resuming. They say it while they send, and that can be over before anybody looks. */
const NOTE_RESUMPTIONS = `(() => {
  globalThis.resumedFrom = {};
  const note = () => {
    for (const card of document.querySelectorAll(".card")) {
      const said = /Resuming from (\\d+) %/.exec(card.textContent);
      if (said !== null) {
        globalThis.resumedFrom[card.querySelector(".name").textContent] = Number(said[1]);
      }
    }
  };
  new MutationObserver(note).observe(document.body, { subtree: true, childList: true, characterData: true });
  return true;
})()`;

function rowOf(name: string): string {
  return `(() => {
    const card = [...document.querySelectorAll(".card")]
      .find((card) => card.querySelector(".name").textContent === ${JSON.stringify(name)});
    if (card === undefined) {
      return null;
    }
    if (card.dataset.stage === "delivered" && card.querySelector(".record") === null) {
      card.querySelector(".fold").click();
    }
    const rows = [...card.querySelectorAll(".record div")];
    const id = rows.find((row) => row.firstElementChild.textContent === "Upload");
    return {
      stage: card.dataset.stage,
      percent: parseInt(card.querySelector(".percent")?.textContent, 10),
      text: card.textContent,
      uploadId: id === undefined ? null : id.lastElementChild.textContent,
    };
  })()`;
}
