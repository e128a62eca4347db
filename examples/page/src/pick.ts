// The zone: a button that asks for files, another one that asks for a folder, and the whole page as the place to drop either.

/** A file, and where it lies below the folder that was chosen or dropped; empty for a file by itself. */
export interface Chosen {
  readonly file: File;
  readonly relativePath: string;
}

export interface Zone {
  readonly area: HTMLElement;
  readonly filesButton: HTMLElement;
  readonly folderButton: HTMLElement;
  readonly filesInput: HTMLInputElement;
  readonly folderInput: HTMLInputElement;
}

export function listenTo({ area, filesButton, folderButton, filesInput, folderInput }: Zone, onChosen: (files: Chosen[]) => void): void {
  filesButton.addEventListener("click", () => filesInput.click());
  folderButton.addEventListener("click", () => folderInput.click());
  // Phones have no folders to choose.
  folderButton.hidden = !("webkitdirectory" in folderInput) || matchMedia("(pointer: coarse) and (hover: none)").matches;
  for (const input of [filesInput, folderInput]) {
    input.addEventListener("change", () => {
      onChosen(Array.from(input.files ?? [], (file) => ({ file, relativePath: file.webkitRelativePath })));
      // The same file may be chosen again.
      input.value = "";
    });
  }
  const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") === true;
  addEventListener("dragover", (event) => {
    if (hasFiles(event)) {
      event.preventDefault();
      area.classList.add("over");
    }
  });
  addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) {
      area.classList.remove("over");
    }
  });
  addEventListener("drop", async (event) => {
    if (hasFiles(event)) {
      event.preventDefault();
      area.classList.remove("over");
      onChosen(await dropped(event.dataTransfer));
    }
  });
}

/** What was dropped, folders unfolded. The entries must be asked for at once: afterwards the event has forgotten them. */
async function dropped(transfer: DataTransfer | null): Promise<Chosen[]> {
  const items = Array.from(transfer?.items ?? []);
  const entries = items.map((item) => item.webkitGetAsEntry?.()).filter((entry) => entry !== null && entry !== undefined);
  if (entries.length === 0) {
    return Array.from(transfer?.files ?? [], (file) => ({ file, relativePath: "" }));
  }
  return (await Promise.all(entries.map((entry) => filesOf(entry, "")))).flat();
}

async function filesOf(entry: FileSystemEntry, folder: string): Promise<Chosen[]> {
  const path = `${folder}${entry.name}`;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    return [{ file, relativePath: folder === "" ? "" : path }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: FileSystemEntry[] = [];
  for (;;) {
    // A folder is told in pieces; the last one is empty.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) {
      return (await Promise.all(found.map((child) => filesOf(child, `${path}/`)))).flat();
    }
    found.push(...some);
  }
}
