// One file in the list. Until its turn, and when it has arrived, it is one line; in between it shows its progress, and what is in the
// way with the button that helps. What is not shown is not built: there may be thousands.

import { make, makeButton, say } from "./elements.ts";
import { duration, size } from "./format.ts";
import type { Journey, OriginRecord, Stage } from "./journey.ts";
import { HELP_LABELS, type Help } from "./messages.ts";
import { Steps } from "./steps.ts";

const TITLES: Readonly<Record<Stage, string>> = {
  ready: "Ready",
  waiting: "Waiting",
  starting: "Starting",
  hashing: "Hashing",
  uploading: "Uploading",
  paused: "Paused",
  offline: "No network",
  following: "In another tab",
  interrupted: "Interrupted",
  missing: "Choose it again",
  completing: "Completing",
  verifying: "Verifying",
  repairing: "Repairing",
  completed: "Stored",
  delivered: "Delivered",
  undelivered: "Not delivered",
  failed: "Failed",
};

const ONE_LINE: ReadonlySet<Stage> = new Set(["ready", "waiting", "completed", "delivered"]);
/** Those that can be paused by hand. */
const PAUSABLE: ReadonlySet<Stage> = new Set(["starting", "uploading", "hashing", "offline"]);

/** What the buttons of a row do. */
export interface RowActs {
  pause(): void;
  resume(): void;
  remove(): void;
  help(help: Help): void;
  /** The origin's record, when somebody wants to see it. */
  record(): Promise<OriginRecord | undefined>;
}

let rows = 0;

export class Row {
  readonly element = make("li", "card");
  readonly #acts: RowActs;
  readonly #badge = make("span", "badge");
  readonly #resumed = make("span", "badge resumed");
  readonly #size = make("span", "size");
  readonly #pause: HTMLButtonElement;
  readonly #resume: HTMLButtonElement;
  readonly #fold: HTMLButtonElement;
  readonly #nameId: string;
  #body: Body | undefined;
  #record: HTMLElement | undefined;
  #isUnfolded = false;

  constructor(journey: Journey, acts: RowActs) {
    this.#acts = acts;
    const name = make("h3", "name", journey.name);
    this.#nameId = name.id = `file-${++rows}`;
    name.title = journey.folder === "" ? journey.name : `${journey.folder}/${journey.name}`;
    this.element.setAttribute("aria-labelledby", name.id);
    const named = (button: HTMLButtonElement) => {
      button.setAttribute("aria-describedby", name.id);
      return button;
    };
    this.#pause = named(makeButton("quiet", "Pause", acts.pause));
    this.#resume = named(makeButton("quiet", "Resume", acts.resume));
    this.#fold = named(makeButton("quiet fold", "Details", () => this.#toggle(journey)));
    const remove = named(makeButton("quiet icon remove", "", acts.remove));
    remove.append(make("span", "unseen", "Remove"));
    const title = make("div", "title");
    title.append(name);
    if (journey.folder !== "") {
      title.append(make("span", "folder", journey.folder));
    }
    const actions = make("div", "actions");
    actions.append(this.#pause, this.#resume, this.#fold, remove);
    const badges = make("p", "badges");
    badges.append(this.#resumed, this.#badge);
    const head = make("div", "head");
    head.append(make("span", "mark"), title, this.#size, badges, actions);
    this.element.append(head);
    this.show(journey);
  }

  show(journey: Journey): void {
    const { stage } = journey;
    this.element.dataset.stage = stage;
    say(this.#badge, journey.isDuplicate && journey.isSent ? "There already" : TITLES[stage]);
    const isResuming = journey.resumedFrom !== undefined && stage === "uploading";
    say(this.#resumed, isResuming ? `Resuming from ${journey.resumedFrom} %` : "");
    this.#pause.hidden = !PAUSABLE.has(stage);
    this.#resume.hidden = stage !== "paused";
    this.#fold.hidden = !journey.isOver;
    const isOneLine = ONE_LINE.has(stage) && journey.message === undefined;
    say(this.#size, isOneLine ? size(journey.fileBytes) : "");
    this.element.classList.toggle("one-line", isOneLine && !this.#isUnfolded);
    if (!isOneLine || this.#isUnfolded) {
      if (this.#body === undefined) {
        this.#body = new Body(this.#nameId, this.#acts);
        this.element.append(this.#body.element);
      }
      this.#body.show(journey);
    }
    if (this.#body !== undefined) {
      this.#body.element.hidden = isOneLine && !this.#isUnfolded;
    }
  }

  async #toggle(journey: Journey): Promise<void> {
    this.#isUnfolded = !this.#isUnfolded;
    this.#fold.setAttribute("aria-expanded", String(this.#isUnfolded));
    this.show(journey);
    if (this.#isUnfolded && this.#record === undefined) {
      this.#record = make("dl", "record");
      this.#body?.element.append(this.#record);
      journey.record ??= await this.#acts.record();
      this.#record.append(...recordRows(journey));
    }
  }
}

/** What is below the line of the name. */
class Body {
  readonly element = make("div", "body");
  readonly #bar = make("div", "bar");
  readonly #sent = make("span", "sent");
  readonly #confirmed = make("span", "confirmed");
  readonly #percent = make("span", "percent");
  readonly #figures = make("span", "figures");
  readonly #remark = make("p", "remark");
  readonly #remarkText = make("span", "");
  readonly #helpButton: HTMLButtonElement;
  readonly #steps = new Steps();
  #help: Help = "go-on";

  constructor(nameId: string, acts: RowActs) {
    this.#bar.setAttribute("role", "progressbar");
    this.#bar.setAttribute("aria-labelledby", nameId);
    this.#bar.append(this.#sent, this.#confirmed);
    this.#helpButton = makeButton("help", "", () => acts.help(this.#help));
    this.#helpButton.setAttribute("aria-describedby", nameId);
    this.#remark.append(this.#remarkText, this.#helpButton);
    const line = make("p", "line");
    line.append(this.#percent, this.#figures);
    this.element.append(this.#bar, line, this.#remark, this.#steps.element);
  }

  show(journey: Journey): void {
    const { percent, fileBytes, sentBytes, message, isOver, stage } = journey;
    // What was on its way when it stopped is lost, and sent again.
    const sentPercent = stage !== "uploading" ? percent : fileBytes === 0 ? 100 : (100 * sentBytes) / fileBytes;
    this.#bar.hidden = isOver;
    this.#bar.setAttribute("aria-valuenow", String(percent));
    this.#confirmed.style.width = `${percent}%`;
    this.#sent.style.width = `${sentPercent}%`;
    say(this.#percent, isOver ? "" : `${percent} %`);
    say(this.#figures, figures(journey));
    this.#remark.hidden = message === undefined;
    say(this.#remarkText, message?.text ?? "");
    this.#help = message?.help ?? "go-on";
    say(this.#helpButton, message?.help === undefined ? "" : HELP_LABELS[message.help]);
    this.#steps.show(journey);
  }
}

function figures({ stage, uploadedBytes, fileBytes, bytesPerSecond, remainingMs, isSent, isOver }: Journey): string {
  if (isOver) {
    return "";
  }
  if (isSent) {
    return size(fileBytes);
  }
  const parts = [`${size(uploadedBytes)} of ${size(fileBytes)}`];
  if (stage === "uploading" && bytesPerSecond !== null) {
    parts.push(`${size(bytesPerSecond)}/s`);
    if (remainingMs !== null) {
      parts.push(`${duration(remainingMs)} left`);
    }
  }
  return parts.join(" · ");
}

function recordRows({ record, uploadId, fileBytes }: Journey): HTMLElement[] {
  const storedAt = record?.storedAt ?? null;
  const rows: [string, string | undefined][] = [
    ["SHA-256 at the origin", record?.sha256 ?? undefined],
    ["Size", `${(record?.fileSize ?? fileBytes).toLocaleString("en")} bytes`],
    ["Type found", record?.sniffedType ?? undefined],
    ["Stored", storedAt === null ? undefined : new Date(storedAt).toLocaleTimeString()],
    ["Upload", uploadId],
  ];
  const known = rows.filter((row): row is [string, string] => row[1] !== undefined);
  return known.map(([term, value]) => {
    const row = make("div", /SHA|Upload/.test(term) ? "wide" : "");
    row.append(make("dt", "", term), make("dd", "", value));
    return row;
  });
}
