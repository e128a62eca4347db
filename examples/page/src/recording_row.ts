// One recording in the list: what it is doing, its two bars, what is in the way, and the buttons that make sense just now.

import type { RecordingStatus, RecordingWarning } from "quayside-client/recording";

import { make, makeButton, say } from "./elements.ts";
import { duration, percent, size } from "./format.ts";

/** `left`: by a page that has gone. `in-use`: another page has it. */
export type RecordingStage = RecordingStatus["state"] | "left" | "in-use";

export interface Shown {
  readonly stage: RecordingStage;
  readonly recordedBytes: number;
  readonly safeHereBytes: number;
  readonly safeThereBytes: number;
  /** What is to be said besides. */
  readonly remark: string;
}

const TITLES: Readonly<Record<RecordingStage, string>> = {
  idle: "Starting",
  starting: "Starting",
  recording: "Recording",
  paused: "Paused",
  sending: "Sending",
  completing: "Completing",
  completed: "At the server",
  failed: "Not at the server",
  discarded: "Discarded",
  left: "Left behind",
  "in-use": "In another tab",
};

/** How the list of files shows the same. */
const LOOKS: Readonly<Record<RecordingStage, string>> = {
  idle: "starting",
  starting: "starting",
  recording: "recording",
  paused: "paused",
  sending: "uploading",
  completing: "completing",
  completed: "delivered",
  failed: "failed",
  discarded: "ready",
  left: "interrupted",
  "in-use": "following",
};

const WARNINGS: Readonly<Record<RecordingWarning, string>> = {
  "memory-only": "This browser keeps nothing here. Closing this page loses what is not at the server yet.",
  "not-persistent": "",
  "storage-low": "There is little room left on this device.",
  "storage-full": "There is no room left on this device. What is recorded now is in memory alone.",
  "storage-failing": "This browser's storage does not work. What is recorded now is in memory alone.",
};

export type RecordingButton = "watch" | "pause" | "resume" | "stop" | "send" | "download" | "discard" | "remove";

const LABELS: Readonly<Record<RecordingButton, string>> = {
  watch: "Watch",
  pause: "Pause",
  resume: "Go on",
  stop: "Stop",
  send: "Resume",
  download: "Download",
  discard: "Discard",
  remove: "Remove",
};

const BUTTONS: Readonly<Record<RecordingStage, readonly RecordingButton[]>> = {
  idle: ["discard"],
  starting: ["discard"],
  recording: ["watch", "pause", "stop", "discard"],
  paused: ["watch", "resume", "stop", "discard"],
  sending: ["download", "discard"],
  completing: [],
  completed: ["remove"],
  failed: ["send", "download", "discard"],
  discarded: [],
  left: ["send", "download", "discard"],
  "in-use": [],
};

/** What the page shows of a recording that is its own. */
export function shownOf(status: RecordingStatus): Shown {
  const { state, recordedBytes, safeHereBytes, safeThereBytes } = status;
  return { stage: state, recordedBytes, safeHereBytes, safeThereBytes, remark: remarkOf(status) };
}

function remarkOf({ error, isOffline, warnings, fullInMs, ending, state }: RecordingStatus): string {
  const room = fullInMs === null ? "" : ` It lasts for ${duration(fullInMs)}.`;
  const said = warnings.map((warning) => WARNINGS[warning] + (warning === "storage-low" ? room : ""));
  if (ending === "memory-full") {
    said.push("It was ended, as there was no room left for more.");
  }
  if (error !== undefined) {
    said.push(error.message);
  } else if (isOffline && state !== "completed") {
    said.push("There is no network. It goes on by itself.");
  }
  return said.filter((text) => text !== "").join(" ");
}

let rows = 0;

export class RecordingRow {
  readonly element = make("li", "card recorded");
  readonly #name = make("h3", "name");
  readonly #size = make("span", "size");
  readonly #badge = make("span", "badge");
  readonly #body = make("div", "body");
  readonly #here = new Bar("here", "Safe here");
  readonly #there = new Bar("there", "Safe there");
  readonly #remark = make("p", "remark");
  readonly #buttons = new Map<RecordingButton, HTMLButtonElement>();

  constructor(fileName: string, press: (button: RecordingButton) => void) {
    this.#name.id = `recording-${++rows}`;
    this.element.setAttribute("aria-labelledby", this.#name.id);
    const actions = make("div", "actions");
    for (const name of Object.keys(LABELS) as RecordingButton[]) {
      const button = makeButton("quiet", LABELS[name], () => press(name));
      button.setAttribute("aria-describedby", this.#name.id);
      this.#buttons.set(name, button);
      actions.append(button);
    }
    const [title, badges, head] = [make("div", "title"), make("p", "badges"), make("div", "head")];
    title.append(this.#name);
    badges.append(this.#badge);
    head.append(make("span", "mark"), title, this.#size, badges, actions);
    this.#body.append(this.#here.element, this.#there.element, this.#remark);
    this.element.append(head, this.#body);
    this.rename(fileName);
  }

  rename(fileName: string): void {
    say(this.#name, fileName === "" ? "Recording" : fileName);
    this.#name.title = fileName;
  }

  /** What the camera sees. */
  preview(stream: MediaStream): void {
    const video = make("video", "preview");
    Object.assign(video, { srcObject: stream, muted: true, autoplay: true, playsInline: true });
    video.setAttribute("aria-label", "What is being recorded");
    this.#body.prepend(video);
  }

  endPreview(): void {
    this.#body.querySelector("video")?.remove();
  }

  show(shown: Shown): void {
    const { stage, recordedBytes, safeHereBytes, safeThereBytes, remark } = shown;
    this.element.dataset.stage = LOOKS[stage];
    this.element.dataset.recording = stage;
    say(this.#badge, TITLES[stage]);
    say(this.#size, size(recordedBytes));
    this.#here.show(safeHereBytes, recordedBytes);
    this.#there.show(safeThereBytes, recordedBytes);
    say(this.#remark, remark);
    for (const [name, button] of this.#buttons) {
      button.hidden = !BUTTONS[stage].includes(name);
    }
  }
}

class Bar {
  readonly element: HTMLElement;
  readonly #bar = make("div", "bar");
  readonly #fill = make("span", "");
  readonly #figures = make("span", "figures");

  constructor(kind: string, name: string) {
    this.element = make("div", `safe ${kind}`);
    const line = make("p", "line");
    line.append(make("span", "safe-name", name), this.#figures);
    this.#bar.setAttribute("role", "progressbar");
    this.#bar.setAttribute("aria-label", name);
    this.#bar.append(this.#fill);
    this.element.append(line, this.#bar);
  }

  show(bytes: number, ofBytes: number): void {
    const done = ofBytes === 0 ? 0 : percent(bytes, ofBytes);
    this.#fill.style.width = `${done}%`;
    this.#bar.setAttribute("aria-valuenow", String(done));
    this.#bar.setAttribute("aria-valuetext", `${size(bytes)} of ${size(ofBytes)}`);
    say(this.#figures, size(bytes));
  }
}
