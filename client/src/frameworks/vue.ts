// The composable for Vue: `const { items, add, remove } = useUploads({ endpoint })`.

import { onScopeDispose, type ShallowRef, shallowRef } from "vue";

import { type UploadItem, UploadList, type UploadListOptions } from "./upload_list.ts";

export type { UploadItem, UploadListOptions } from "./upload_list.ts";

export interface Uploads {
  readonly items: Readonly<ShallowRef<readonly UploadItem[]>>;
  /** Files of an input or of a drop. */
  readonly add: (files: Iterable<File> | ArrayLike<File>) => void;
  /** Takes one off the list, and what is unfinished off the server. */
  readonly remove: (id: number) => void;
}

/** For `setup`. Uploads go on when the component goes. */
export function useUploads(options: UploadListOptions): Uploads {
  const list = new UploadList(options);
  const items = shallowRef(list.items());
  onScopeDispose(
    list.subscribe(() => {
      items.value = list.items();
    }),
  );
  return { items, add: list.add, remove: list.remove };
}
