// The page's wiring: the zone where files are chosen, Uppy with the chosen protocol, and the list of what is on its way.

import Uppy from "@uppy/core";
import GoldenRetriever from "@uppy/golden-retriever";

import { Announcer } from "./announcer.ts";
import { Board } from "./board.ts";
import { largestFileBytes, readConfig } from "./config.ts";
import { find, say } from "./elements.ts";
import { size } from "./format.ts";
import type { Stage } from "./journey.ts";
import { ended } from "./messages.ts";
import { recordOf } from "./origin.ts";
import { listenTo } from "./pick.ts";
import { PROTOCOLS, type Protocol, speak } from "./protocols.ts";
import { Remembered } from "./remembered.ts";
import { Summary } from "./summary.ts";
import { authorization, takeToken } from "./token.ts";
import { Transfers } from "./transfers.ts";

/** Where the page lies, so does the service: at the top of its host, or below a path. */
const ENDPOINT = new URL(".", location.href).href.replace(/\/$/, "");
const CHOICE_KEY = "quayside:protocol";
/** Larger files are not copied into the browser's storage: after a reload they are chosen once more, and then go on. */
const KEPT_FILE_BYTES = 64 * 1024 * 1024;
const KEPT_TOTAL_BYTES = 512 * 1024 * 1024;
/** Longer lists are not kept at all: whatever changes, all of it would be written again. */
const KEPT_FILES = 100;

takeToken();
const [config, maxFileSize] = await Promise.all([readConfig(), largestFileBytes(ENDPOINT)]);
const uppy = new Uppy({ id: "quayside", restrictions: { allowedFileTypes: config.allowedFileTypes, maxFileSize } });
const transfers = new Transfers(uppy);
const filesInput = find<HTMLInputElement>("#file-input");
const summary = new Summary({
  start: () => transfers.start(),
  pauseAll: () => uppy.pauseAll(),
  resumeAll: () => uppy.resumeAll(),
  clear: () => {
    for (const id of board.clearFinished()) {
      transfers.remove(id);
    }
  },
});
const board: Board = new Board({
  list: find("#list"),
  announcer: new Announcer(find("#announcer")),
  remembered: new Remembered(),
  endpoint: ENDPOINT,
  recordOf: (uploadId) => recordOf(config.originUrl, uploadId),
  onShown: () => summary.show(board.journeys),
  acts: {
    pause: (id) => transfers.pause(id),
    resume: (id) => transfers.resume(id),
    remove: (id) => transfers.remove(id),
    goOn: (id) => transfers.goOn(id),
    chooseAgain: (id, isGone) => {
      if (isGone) {
        transfers.remove(id);
      }
      filesInput.click();
    },
  },
});

type Listed = { id: string; name?: string; size: number | null; meta: { relativePath?: unknown } };
function show({ id, name = "unnamed", size, meta: { relativePath } }: Listed): void {
  const path = typeof relativePath === "string" ? relativePath : "";
  board.add(id, name, path.slice(0, Math.max(0, path.lastIndexOf("/"))), size ?? 0);
}

uppy.on("files-added", (files) => {
  for (const file of files) {
    // A file that is chosen again goes on where it was.
    const wasMissing = board.stageOf(file.id) === "missing";
    show(file);
    if (wasMissing) {
      board.restore(file.id, false);
    }
  }
  if (uppy.getFiles().length > KEPT_FILES) {
    const retriever = uppy.getPlugin("GoldenRetriever");
    retriever !== undefined && uppy.removePlugin(retriever);
  }
});
uppy.on("file-removed", ({ id }) => board.remove(id));
uppy.on("restored", () => {
  transfers.forgetRunning();
  for (const file of uppy.getFiles().filter(({ progress }) => !progress.uploadComplete)) {
    show(file);
    if (file.progress.uploadStarted) {
      board.restore(file.id, file.isGhost === true);
    } else if (file.isGhost) {
      transfers.remove(file.id);
    }
  }
});
uppy.on("upload-start", (files) => {
  for (const { id } of files) {
    board.turned(id, "waiting");
  }
});
uppy.on("upload-retry", (file) => file && board.turned(file.id, "waiting"));
uppy.on("upload-pause", (file, isPaused) => file && board.turned(file.id, isPaused ? "paused" : "waiting"));
uppy.on("pause-all", () => turnUnfinished("paused"));
uppy.on("resume-all", () => turnUnfinished("waiting"));
uppy.on("upload-error", (file, error) => file && board.turned(file.id, "failed", ended(error)));

/** Those that have begun, and have neither arrived nor failed. */
function turnUnfinished(stage: Stage): void {
  for (const { id, error, progress } of uppy.getFiles()) {
    if (progress.uploadStarted && !progress.uploadComplete && !error) {
      board.turned(id, stage);
    }
  }
}

const notice = find("#notice");
const noticeText = find("#notice-text");
uppy.on("info-visible", () => {
  const texts = new Set(uppy.getState().info.map(({ message }) => String(message)));
  say(noticeText, [...texts].slice(0, 3).join(" · "));
  notice.hidden = false;
});
uppy.on("info-hidden", () => {
  notice.hidden = uppy.getState().info.length === 0;
});

const form = find<HTMLFormElement>(".choices");
const protocolField = find<HTMLFieldSetElement>("#protocol");
const dedup = find<HTMLInputElement>("#dedup");

function chosen(): Protocol {
  return new FormData(form).get("protocol") as Protocol;
}

function choose(): void {
  // What is disabled is not in a form's data, so this is asked before anything is.
  const protocol = chosen();
  localStorage.setItem(CHOICE_KEY, protocol);
  find("#protocol-hint").textContent = PROTOCOLS[protocol];
  find("#dedup-choice").hidden = protocol !== "quayside";
  speak(uppy, protocol, ENDPOINT, dedup.checked, board);
}

const remembered = localStorage.getItem(CHOICE_KEY);
for (const input of form.querySelectorAll<HTMLInputElement>('input[name="protocol"]')) {
  input.checked = input.value === (remembered !== null && remembered in PROTOCOLS ? remembered : "quayside");
}
form.addEventListener("change", choose);
form.addEventListener("submit", (event) => event.preventDefault());

/** An upload ends in the protocol it began in. */
uppy.on("state-update", (_before, _after, patch) => {
  if (patch?.currentUploads !== undefined) {
    const isBusy = Object.keys(uppy.getState().currentUploads).length > 0;
    protocolField.disabled = isBusy;
    dedup.disabled = isBusy;
  }
});

if (config.allowedFileTypes !== null) {
  filesInput.accept = config.allowedFileTypes.join(",");
}
find("#note").textContent = note();
const folderInput = find<HTMLInputElement>("#folder-input");
const buttons = { filesButton: find("#choose-files"), folderButton: find("#choose-folder") };
listenTo({ area: find("#zone"), ...buttons, filesInput, folderInput }, (files) => transfers.add(files));
choose();
// Its types know of this option only the parts that every IndexedDB has.
const indexedDB: object = { maxFileSize: KEPT_FILE_BYTES, maxTotalSize: KEPT_TOTAL_BYTES };
uppy.use(GoldenRetriever, { indexedDB });
document.body.dataset.ready = "";
// Loaded when all else is there: most visits record nothing.
const { showRecorder } = await import("./recorder.ts");
await showRecorder(ENDPOINT, authorization);
document.body.dataset.recorder = "";

function note(): string {
  const types = config.allowedFileTypes === null ? "Any file" : `Only ${config.allowedFileTypes.join(", ")}`;
  return maxFileSize === null ? types : `${types}, up to ${size(maxFileSize)}`;
}
