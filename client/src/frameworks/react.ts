// The hook for React: `const { items, add, remove } = useUploads({ endpoint })`.

import { useState, useSyncExternalStore } from "react";

import { type UploadItem, UploadList, type UploadListOptions } from "./upload_list.ts";

export type { UploadItem, UploadListOptions } from "./upload_list.ts";

export interface Uploads {
  readonly items: readonly UploadItem[];
  /** Files of an input or of a drop. */
  readonly add: (files: Iterable<File> | ArrayLike<File>) => void;
  /** Takes one off the list, and what is unfinished off the server. */
  readonly remove: (id: number) => void;
}

/** The options are those of the first call. Uploads go on when the component goes; a new one begins with an empty list. */
export function useUploads(options: UploadListOptions): Uploads {
  const [list] = useState(() => new UploadList(options));
  const items = useSyncExternalStore(list.subscribe, list.items, list.items);
  return { items, add: list.add, remove: list.remove };
}
