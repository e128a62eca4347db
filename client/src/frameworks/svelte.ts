// A store as Svelte understands one: `const uploads = createUploads({ endpoint })`, and `$uploads` is the list.

import { type UploadItem, UploadList, type UploadListOptions } from "./upload_list.ts";

export type { UploadItem, UploadListOptions } from "./upload_list.ts";

export interface Uploads {
  /** Svelte's own contract for stores: tells what there is at once, and then each new list. */
  readonly subscribe: (run: (items: readonly UploadItem[]) => void) => () => void;
  /** Files of an input or of a drop. */
  readonly add: (files: Iterable<File> | ArrayLike<File>) => void;
  /** Takes one off the list, and what is unfinished off the server. */
  readonly remove: (id: number) => void;
}

export function createUploads(options: UploadListOptions): Uploads {
  const list = new UploadList(options);
  return {
    subscribe(run) {
      run(list.items());
      return list.subscribe(() => run(list.items()));
    },
    add: list.add,
    remove: list.remove,
  };
}
