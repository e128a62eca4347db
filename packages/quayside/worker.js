// The whole Worker: what `main` names where there is nothing else. Exports the handlers and the Durable Object classes only.

export { default, OwnerLedger, UploadSession } from "./dist/entry.js";
