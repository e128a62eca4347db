// The recorder: a camera, the screen or a microphone, recorded onto this device and sent at the same time, so that it can be watched while it is
// made; and what earlier pages have left behind. What is shown comes from the recording alone; nothing is remembered here.

import {
  createRecording,
  type Discarded,
  type LeftRecording,
  listRecordings,
  type Recording,
} from "quayside-client/recording";

import { find, make, say } from "./elements.ts";
import { type RecordingButton, RecordingRow, shownOf } from "./recording_row.ts";

/** Why there is nothing to record, by the name of the browser's error. */
const REFUSALS: Readonly<Record<string, string>> = {
  NotAllowedError: "The browser was not allowed to record this.",
  NotFoundError: "There is no such device.",
  NotReadableError: "The device is in use by another program.",
};

const DEVICES: Readonly<Record<string, () => Promise<MediaStream>>> = {
  camera: () => navigator.mediaDevices.getUserMedia({ video: true, audio: true }),
  screen: () => navigator.mediaDevices.getDisplayMedia({ video: true, audio: true }),
  microphone: () => navigator.mediaDevices.getUserMedia({ audio: true }),
};

/** What is said to whoever listens instead of looking. */
const SENTENCES: Partial<Record<string, string>> = {
  recording: "has begun",
  paused: "is paused",
  sending: "has ended and is being sent",
  completed: "is at the server",
  failed: "is not at the server; it is kept on this device",
};

/** Settles when what was left behind is shown. */
export async function showRecorder(endpoint: string, headers: () => Record<string, string>): Promise<void> {
  // Pages without TLS have no devices.
  if (typeof MediaRecorder === "undefined" || navigator.mediaDevices === undefined) {
    return;
  }
  const recorder = new Recorder(endpoint, headers);
  find("#record-screen").hidden = navigator.mediaDevices.getDisplayMedia === undefined;
  for (const [name, open] of Object.entries(DEVICES)) {
    find(`#record-${name}`).addEventListener("click", () => recorder.record(open));
  }
  find("#recorder").hidden = false;
  await recorder.showLeft();
}

class Recorder {
  readonly #endpoint: string;
  readonly #headers: () => Record<string, string>;
  readonly #list = find("#recordings");
  readonly #notice = find("#recorder-notice");
  readonly #announcer = find("#announcer");
  /** Those of this page. */
  readonly #recordings = new Set<Recording>();

  constructor(endpoint: string, headers: () => Record<string, string>) {
    this.#endpoint = endpoint;
    this.#headers = headers;
    addEventListener("beforeunload", (event) => {
      // What is in memory alone goes with the page: the browser asks whether that is meant.
      if ([...this.#recordings].some(({ status }) => status.state !== "discarded" && status.memoryBytes > 0)) {
        event.preventDefault();
      }
    });
  }

  async record(open: () => Promise<MediaStream>): Promise<void> {
    say(this.#notice, "");
    let stream: MediaStream;
    try {
      stream = await open();
    } catch (error) {
      say(this.#notice, REFUSALS[(error as Error).name] ?? String((error as Error).message));
      return;
    }
    const [endpoint, headers] = [this.#endpoint, this.#headers];
    const recording = createRecording(stream, { endpoint, headers, live: true, keepAwake: true });
    const row = this.#follow(recording, "");
    if (stream.getVideoTracks().length > 0) {
      row.preview(stream);
    }
    const off = recording.on("status", ({ ending, state }) => {
      if (ending !== undefined || state === "discarded" || state === "failed") {
        off();
        row.endPreview();
        // The camera's light goes off.
        for (const track of stream.getTracks()) {
          track.stop();
        }
      }
    });
    recording.start().catch(() => {});
  }

  async showLeft(): Promise<void> {
    const found = await listRecordings({ endpoint: this.#endpoint, headers: this.#headers });
    for (const left of found) {
      this.#showOne(left);
    }
  }

  #showOne(left: LeftRecording): void {
    const row = this.#add(left.fileName, async (button) => {
      if (button === "send") {
        const recording = left.resume({ keepAwake: true });
        row.element.replaceWith(this.#follow(recording, left.fileName).element);
        recording.start().catch(() => {});
      } else if (button === "download") {
        this.#download(await left.file());
      } else {
        this.#remove(row);
        await this.#discard(left);
      }
    });
    const { recordedBytes, safeThereBytes, isInUse, isWhole } = left;
    const remark = isWhole ? "" : "Its beginning is at the server alone: it can go on, and not be downloaded.";
    const stage = isInUse ? "in-use" : "left";
    row.show({ stage, recordedBytes, safeHereBytes: recordedBytes, safeThereBytes, remark });
  }

  /** Shows a recording of this page for as long as it lives. */
  #follow(recording: Recording, fileName: string): RecordingRow {
    this.#recordings.add(recording);
    const row = this.#add(fileName, (button) => this.#press(recording, row, button));
    let before = "";
    const show = () => {
      const { status } = recording;
      row.rename(status.fileName);
      row.show(shownOf(status));
      if (status.state !== before) {
        before = status.state;
        const sentence = SENTENCES[status.state];
        if (sentence !== undefined) {
          this.#announcer.textContent = `The recording ${sentence}.`;
        }
      }
    };
    show();
    recording.on("status", show);
    return row;
  }

  async #press(recording: Recording, row: RecordingRow, button: RecordingButton): Promise<void> {
    switch (button) {
      case "watch":
        return this.#watch(recording.status.uploadId);
      case "pause":
        return recording.pause();
      case "resume":
        return recording.resume();
      case "stop":
        recording.stop().catch(() => {});
        return;
      case "send":
        recording.start().catch(() => {});
        return;
      case "download":
        return this.#download(await this.#fileOf(recording.id));
      case "discard":
        this.#remove(row);
        return this.#discard(recording);
      case "remove":
        return this.#remove(row);
    }
  }

  /** What the server keeps all the same is said. */
  async #discard(recording: { discard(): Promise<Discarded> }): Promise<void> {
    try {
      const { staying } = await recording.discard();
      const [first] = staying;
      if (first !== undefined) {
        const why = first.error?.message ?? "It is complete.";
        say(this.#notice, `It is no longer on this device, and may still be at the server: ${why}`);
      }
    } catch (error) {
      say(this.#notice, (error as Error).message);
    }
  }

  /** What the server has of it, and what is still to come, as anybody sees it who has the link. */
  async #watch(uploadId: string | undefined): Promise<void> {
    if (uploadId === undefined) {
      say(this.#notice, "Nothing of it is at the server yet.");
      return;
    }
    say(this.#notice, "");
    // Opened at once, as nothing may be opened later than the press; null where the browser opens nothing by itself at all.
    const tab = window.open();
    const request = { method: "POST", headers: this.#headers(), body: '{"disposition": "inline"}' };
    const response = await fetch(`${this.#endpoint}/upload/${uploadId}/links`, request).catch(() => undefined);
    if (response?.ok) {
      const { url } = (await response.json()) as { url: string };
      const address = `${url}&follow`;
      tab === null ? this.#offer(address) : tab.location.replace(address);
    } else {
      tab?.close();
      say(this.#notice, "There is no link to it just now.");
    }
  }

  /** The same by a press of its own, which no browser blocks. */
  #offer(address: string): void {
    const link = make("a", "watch-link", "watch it here");
    link.href = address;
    link.target = "_blank";
    link.rel = "noopener";
    link.addEventListener("click", () => say(this.#notice, ""));
    say(this.#notice, "The browser has opened no tab: ");
    this.#notice.append(link);
  }

  async #fileOf(id: string): Promise<File | undefined> {
    const found = await listRecordings({ endpoint: this.#endpoint });
    return found.find((left) => left.id === id)?.file();
  }

  #download(file: File | undefined): void {
    if (file === undefined) {
      say(this.#notice, "Not all of it is on this device any more.");
      return;
    }
    const link = document.createElement("a");
    link.href = URL.createObjectURL(file);
    link.download = file.name;
    link.click();
    // The browser reads it by itself, for as long as that takes; the address goes with the page.
  }

  #add(fileName: string, press: (button: RecordingButton) => void): RecordingRow {
    const row = new RecordingRow(fileName, press);
    this.#list.append(row.element);
    this.#list.hidden = false;
    return row;
  }

  #remove(row: RecordingRow): void {
    row.element.remove();
    this.#list.hidden = this.#list.childElementCount === 0;
    find("#record-camera").focus();
  }
}
