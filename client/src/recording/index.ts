// What `quayside-client/recording` offers.

export { UploadError } from "../errors.ts";
export { createRecording } from "./create_recording.ts";
export { indexedDbStorage } from "./indexed_db.ts";
export type * from "./interfaces.ts";
export { listRecordings } from "./left.ts";
export { opfsStorage } from "./opfs.ts";
export type { Piece } from "./pieces.ts";
