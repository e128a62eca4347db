// The whole Worker, as `main` of a configuration names it.

import type { Handlers } from "./index.js";

export { OwnerLedger, UploadSession } from "./index.js";

declare const worker: Handlers;
export default worker;
