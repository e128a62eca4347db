// The page's wiring: Uppy with its Dashboard, the chosen protocol, and the board of what is on its way.

import "@uppy/core/css/style.min.css";
import "@uppy/dashboard/css/style.min.css";
import "./uppy.css";

import Uppy from "@uppy/core";
import Dashboard from "@uppy/dashboard";
import GoldenRetriever from "@uppy/golden-retriever";

import { Announcer } from "./announcer.ts";
import { Board } from "./board.ts";
import { largestFileBytes, readConfig } from "./config.ts";
import { size } from "./format.ts";
import { recordOf } from "./origin.ts";
import { PROTOCOLS, type Protocol, speak } from "./protocols.ts";
import { takeToken } from "./token.ts";

/** Where the page lies, so does the service: at the top of its host, or below a path. */
const ENDPOINT = new URL(".", location.href).href.replace(/\/$/, "");
const CHOICE_KEY = "quayside:protocol";
/** Larger files are not copied into the browser's storage: after a reload they are chosen once more, and then go on. */
const KEPT_FILE_BYTES = 64 * 1024 * 1024;
const KEPT_TOTAL_BYTES = 512 * 1024 * 1024;

takeToken();
const [config, maxFileSize] = await Promise.all([readConfig(), largestFileBytes(ENDPOINT)]);
const board = new Board({
  list: find("#journeys"),
  empty: find("#journeys-empty"),
  announcer: new Announcer(find("#announcer")),
  endpoint: ENDPOINT,
  recordOf: (uploadId) => recordOf(config.originUrl, uploadId),
});
const uppy = new Uppy({ id: "quayside", restrictions: { allowedFileTypes: config.allowedFileTypes, maxFileSize } });

uppy.on("file-added", ({ id, name, size }) => board.add(id, name ?? "unnamed", size ?? 0));
uppy.on("file-removed", ({ id }) => board.remove(id));
uppy.on("restored", () => {
  for (const { id, name, size } of uppy.getFiles()) {
    board.add(id, name ?? "unnamed", size ?? 0);
  }
});
uppy.on("upload-start", (files) => {
  for (const { id } of files) {
    board.turned(id, "uploading");
  }
});
uppy.on("upload-pause", (file, isPaused) => file && board.turned(file.id, isPaused ? "paused" : "uploading"));
uppy.on("pause-all", () => turnUnfinished("paused"));
uppy.on("resume-all", () => turnUnfinished("uploading"));
uppy.on("upload-error", (file, error) => file && board.turned(file.id, "failed", error.message));

function turnUnfinished(stage: "paused" | "uploading"): void {
  for (const { id, progress } of uppy.getFiles()) {
    if (progress.uploadStarted && !progress.uploadComplete) {
      board.turned(id, stage);
    }
  }
}

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
uppy.on("state-update", (_before, { currentUploads }) => {
  const isBusy = Object.keys(currentUploads ?? uppy.getState().currentUploads).length > 0;
  protocolField.disabled = isBusy;
  dedup.disabled = isBusy;
});

uppy.use(Dashboard, {
  target: "#upload",
  inline: true,
  width: "100%",
  height: 440,
  theme: "auto",
  proudlyDisplayPoweredByUppy: false,
  // The cards say it per file, and only what the server has confirmed.
  hideProgressDetails: true,
  singleFileFullScreen: false,
  note: note(),
});
// The Dashboard calls a single file an item of a list, but has no list around it.
new MutationObserver(() => {
  document.querySelector(".uppy-Dashboard-files:not([role])")?.setAttribute("role", "list");
}).observe(find("#upload"), { childList: true, subtree: true });
choose();
// Its types know of this option only the parts that every IndexedDB has.
const indexedDB: object = { maxFileSize: KEPT_FILE_BYTES, maxTotalSize: KEPT_TOTAL_BYTES };
uppy.use(GoldenRetriever, { indexedDB });

function note(): string {
  const types = config.allowedFileTypes === null ? "Any file" : `Only ${config.allowedFileTypes.join(", ")}`;
  return maxFileSize === null ? types : `${types}, up to ${size(maxFileSize)}`;
}

function find<T extends HTMLElement = HTMLElement>(selector: string): T {
  const element = document.querySelector<T>(selector);
  if (element === null) {
    throw new Error(`the page has no ${selector}`);
  }
  return element;
}
