// What an application does for its users' uploads: it says who may upload what (`mintToken`), and hears what has become of it
// (`verifyEvent`, `verifyRequest`). Nothing here asks the network, and nothing needs Node.

export type { UploadData, UploadEvent, UploadEventType } from "./events.ts";
export { EventError, verifyEvent, verifyRequest } from "./events.ts";
export { TokenOptionError } from "./options.ts";
export type { PrivateSigningKey, SigningKey, TokenOptions } from "./tokens.ts";
export { mintToken } from "./tokens.ts";
