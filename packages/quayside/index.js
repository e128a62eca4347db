// The package's front: the Worker as it is, and `createQuayside` for one that is mounted in an application.
//
// wrangler finds the Durable Object classes by the names under which the application's own main module exports them:
// `export { UploadSession, OwnerLedger } from "quayside"`.

import { createQuayside } from "./mounted.js";

export { OwnerLedger, UploadSession } from "./dist/entry.js";
export { createQuayside };

export default createQuayside();
