// The page of a link that takes one file, for whoever opens it in a browser: a file is chosen or dropped, and goes up with the SDK, past every
// interruption. Without script it is a form.

import { createUpload, type Upload, UploadError } from "../../client/src/index.ts";

/** What the link says of itself, as `core/access/src/token/upload_link.rs` spells it. It is only shown: the server holds everybody to it. */
type Terms = { e?: number; b?: number; t?: string[] };

function find<T extends Element>(selector: string): T {
  const found = document.querySelector<T>(selector);
  if (found === null) {
    throw new Error(`the page has no ${selector}`);
  }
  return found;
}

const [form, section] = [find<HTMLFormElement>("form"), find<HTMLElement>("section")];
const [drop, input] = [find<HTMLLabelElement>("label"), find<HTMLInputElement>("input")];
const [bar, says] = [find<HTMLProgressElement>("progress"), find("#says")];
const [act, other] = [find<HTMLButtonElement>("#act"), find<HTMLButtonElement>("#other")];

const endpoint = location.origin + location.pathname.replace(/\/+$/, "");
let isSending = false;

const size = (bytes: number) => {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${Math.round(bytes / 1000 ** power / 0.1) / 10} ${units[power]}`;
};

const timeLeft = (ms: number | null) => {
  if (ms === null) {
    return "";
  }
  const seconds = Math.ceil(ms / 1000);
  return seconds < 90 ? `, ${seconds} s left` : `, ${Math.round(seconds / 60)} min left`;
};

function terms(): Terms {
  try {
    const [said = ""] = endpoint.slice(endpoint.lastIndexOf("/qul_") + "/qul_".length).split(".");
    const bytes = Uint8Array.from(atob(said.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) as Terms;
  } catch {
    // Somebody has changed it. What is sent by it is refused, in words.
    return {};
  }
}

function showTerms({ e, b, t }: Terms): void {
  const until = e && ` until ${new Date(e).toLocaleString([], { dateStyle: "medium", timeStyle: "short" })}`;
  const most = b === undefined ? "" : `, of up to ${size(b)}`;
  const types = t === undefined ? "" : ` (${t.join(", ")})`;
  find("#terms").textContent = `This link takes one file${until || ""}${most}${types}.`;
  input.accept = t?.join(",") ?? "";
}

function say(text: string): void {
  says.textContent = text;
}

/** What helps after an error, as a button; and another file, unless this one can go on. */
function offer(upload: Upload, error: UploadError): void {
  const goesOn = error.remedy === "resume" || error.remedy === "start-over";
  act.hidden = !goesOn;
  other.hidden = false;
  act.textContent = "Try again";
  act.onclick = () => void run(upload);
}

async function run(upload: Upload): Promise<void> {
  act.hidden = other.hidden = true;
  isSending = true;
  try {
    await upload.start();
    bar.value = 1;
    say("It has arrived. You can close this page.");
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    if (error instanceof UploadError) {
      offer(upload, error);
    }
  } finally {
    isSending = false;
  }
}

function send(file: File): void {
  const upload = createUpload(file, { endpoint, keepAwake: true });
  form.hidden = true;
  section.hidden = false;
  find("#name").textContent = `${file.name}, ${size(file.size)}`;
  upload.on("progress", ({ sentBytes, fileBytes, remainingMs }) => {
    const share = fileBytes === 0 ? 0 : sentBytes / fileBytes;
    bar.value = share;
    say(`${Math.floor(100 * share)} %${timeLeft(remainingMs)}`);
  });
  upload.on("retry", ({ error, delayMs }) => say(`${error.message} Trying again in ${Math.ceil(delayMs / 1000)} s.`));
  void run(upload);
}

showTerms(terms());
input.addEventListener("change", () => input.files?.[0] && send(input.files[0]));
other.addEventListener("click", () => {
  section.hidden = true;
  form.hidden = false;
  form.reset();
  bar.value = 0;
});
for (const [name, isOver] of [
  ["dragover", true],
  ["dragleave", false],
  ["drop", false],
] as const) {
  addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", isOver);
  });
}
addEventListener("drop", ({ dataTransfer }) => {
  const [file] = dataTransfer?.files ?? [];
  if (file !== undefined && !form.hidden) {
    send(file);
  }
});
addEventListener("beforeunload", (event) => {
  if (isSending) {
    event.preventDefault();
  }
});
