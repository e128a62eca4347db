// The page: every file that is chosen is uploaded, and goes on where it was after a reload.

import { createUpload } from "quayside-client";

const endpoint = new URL("/api/files", location.href).href;
const uploads = document.querySelector("#uploads");

let token;

/** The token of this user; a fresh one when it was refused. */
async function headers({ isRefused } = {}) {
  if (token === undefined || isRefused) {
    const answer = await fetch("/api/token", { method: "POST" });
    ({ token } = await answer.json());
  }
  return { Authorization: `Bearer ${token}` };
}

document.querySelector("#files").addEventListener("change", ({ target }) => {
  for (const file of target.files) {
    send(file);
  }
  target.value = "";
});

async function send(file) {
  const item = document.createElement("li");
  const bar = Object.assign(document.createElement("progress"), { max: file.size || 1, value: 0 });
  const says = document.createElement("span");
  item.append(`${file.name} `, says, bar);
  uploads.append(item);
  const upload = createUpload(file, { endpoint, headers });
  upload.on("progress", ({ uploadedBytes }) => {
    bar.value = uploadedBytes;
  });
  upload.on("state", ({ state }) => {
    says.textContent = state;
  });
  upload.on("retry", ({ error }) => {
    says.textContent = error.message;
  });
  try {
    await upload.start();
    await showLibrary();
  } catch (error) {
    says.textContent = error.message;
  }
}

async function showLibrary() {
  const files = await (await fetch("/api/library")).json();
  const items = files.map(({ uploadId, fileName, fileSize }) => {
    const item = document.createElement("li");
    const link = Object.assign(document.createElement("a"), {
      href: `/api/library/${uploadId}`,
      textContent: fileName,
    });
    item.append(link, ` ${fileSize} bytes`);
    return item;
  });
  document.querySelector("#library").replaceChildren(...items);
}

await headers();
await showLibrary();
