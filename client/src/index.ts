// What the package offers.

export { createUpload } from "./create_upload.ts";
export { UploadError } from "./errors.ts";
export { BrowserHasher } from "./hash.ts";
export type * from "./interfaces.ts";
export { UploadQueue } from "./queue.ts";
export { Speed } from "./speed.ts";
export { indexedDbStore, localStore, sessionStore } from "./stores.ts";
export { type WatchOptions, watchUpload } from "./watch.ts";
