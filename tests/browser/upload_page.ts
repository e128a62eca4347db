// The demo page as somebody uses it: files are chosen, buttons pressed, cards read.

import type { BrowserContext, Locator, Page } from "playwright-core";

import { waitFor } from "../support/wait.ts";
import type { TestFile } from "./harbour.ts";
import { FILE_INPUT, START_BUTTON } from "./selectors.ts";

const GIVE_UP_MS = 120_000;

export type Protocol = "Quayside" | "tus 1.0" | "IETF draft";

export class UploadPage {
  readonly context: BrowserContext;
  readonly page: Page;
  /** Uncaught errors, and what the content security policy refused. */
  readonly complaints: string[] = [];

  static async open(context: BrowserContext, url: string): Promise<UploadPage> {
    const page = await context.newPage();
    page.setDefaultTimeout(GIVE_UP_MS);
    const upload = new UploadPage(context, page);
    await page.goto(url);
    await upload.untilReady();
    return upload;
  }

  private constructor(context: BrowserContext, page: Page) {
    this.context = context;
    this.page = page;
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("console", (message) => {
      if (/Content.Security.Policy/i.test(message.text())) {
        this.complaints.push(message.text());
      }
    });
  }

  async untilReady(): Promise<void> {
    await this.page.locator("body[data-ready]").waitFor();
  }

  async reload(): Promise<void> {
    await this.page.reload();
    await this.untilReady();
  }

  async speak(protocol: Protocol): Promise<void> {
    await this.page.getByRole("radio", { name: protocol }).check();
  }

  async choose(...files: TestFile[]): Promise<void> {
    await this.page.locator(FILE_INPUT).setInputFiles(files.map(({ path }) => path));
  }

  async start(): Promise<void> {
    await this.page.locator(START_BUTTON).click();
  }

  async send(...files: TestFile[]): Promise<void> {
    await this.choose(...files);
    await this.start();
  }

  async press(label: string): Promise<void> {
    await this.page.getByRole("button", { name: label, exact: true }).first().click();
  }

  /** Takes the file out of the list. */
  async remove(file: Pick<TestFile, "name">): Promise<void> {
    await this.card(file).getByRole("button", { name: "Remove" }).click();
  }

  /** A file that has arrived is one line; its details are shown when somebody asks. */
  async unfold(file: Pick<TestFile, "name">): Promise<void> {
    const details = this.card(file).getByRole("button", { name: "Details" });
    if ((await details.getAttribute("aria-expanded")) !== "true") {
      await details.click();
    }
  }

  card({ name }: Pick<TestFile, "name">): Locator {
    return this.page.locator(".card").filter({ has: this.page.getByRole("heading", { name, exact: true }) });
  }

  async stage(file: Pick<TestFile, "name">): Promise<string> {
    return (await this.card(file).getAttribute("data-stage")) ?? "";
  }

  async percent(file: Pick<TestFile, "name">): Promise<number> {
    return Number((await this.card(file).locator(".percent").textContent())?.replace("%", ""));
  }

  async untilStage(file: Pick<TestFile, "name">, ...stages: string[]): Promise<void> {
    let seen = "";
    const probe = async () => {
      const card = this.card(file);
      seen = (await card.count()) === 0 ? "no card" : String(await card.textContent());
      return stages.includes(await this.stage(file));
    };
    const what = `${file.name} to be ${stages.join(" or ")}`;
    await waitFor(what, probe, { giveUpMs: GIVE_UP_MS, lastSeen: () => seen });
  }

  async untilPercent(file: Pick<TestFile, "name">, atLeast: number): Promise<number> {
    let seen = 0;
    const probe = async () => {
      seen = await this.percent(file);
      return seen >= atLeast;
    };
    await waitFor(`${file.name} to be at ${atLeast} %`, probe, { giveUpMs: GIVE_UP_MS, lastSeen: () => seen });
    return seen;
  }

  /** Waits for "Resuming from 43 %", and says the number. */
  async resumedFrom(file: Pick<TestFile, "name">): Promise<number> {
    const text = await this.card(file)
      .getByText(/^Resuming from \d+ %$/)
      .textContent();
    return Number(/\d+/.exec(String(text))?.[0]);
  }

  /** Waits for the origin's record in the file's details; the upload's id. */
  async untilRecorded(file: TestFile): Promise<string> {
    await this.untilStage(file, "delivered");
    await this.unfold(file);
    await this.card(file).getByText(file.sha256).waitFor();
    return this.uploadId(file);
  }

  async uploadId(file: Pick<TestFile, "name">): Promise<string> {
    const row = this.card(file).locator(".record div", { hasText: /^Upload/ });
    return String(await row.locator("dd").textContent()).trim();
  }

  /** Whatever the page says to a screen reader from now on; the function that is returned gives it. */
  async listen(): Promise<() => Promise<string[]>> {
    const heard = await this.page.evaluateHandle(() => {
      const sentences: string[] = [];
      const region = document.querySelector("#announcer");
      new MutationObserver(() => sentences.push(region?.textContent ?? "")).observe(region ?? document, {
        childList: true,
        characterData: true,
        subtree: true,
      });
      return sentences;
    });
    return () => heard.jsonValue();
  }
}
