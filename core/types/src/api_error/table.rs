//! The table of errors: one row for each, with all that any client in any protocol is told.
//!
//! A row is: cause, name and fields `=` code, status, title `;` then
//! * `detail`: what is wrong and what helps, in a sentence for a person. A text that names fields, or `(an expression)`.
//! * `advice`: what a program does about it, for the reference.
//! * `offset`: the field with the true offset.
//! * `header_named`: which of the client's own headers is meant.
//! * `members`: what else stands in the problem document; `null` is left out.
//! * `header`: a header that goes with it. `retry_after`: when to come again, in seconds. `challenge`: `WWW-Authenticate` (RFC 6750,
//!   section 3).
//!
//! Two rows may have one code, where a program does the same about both. docs/reference/errors.md is made of this table, and the pages that the Worker serves (`errors.json`).

use crate::{
    api_error::{
        NamedHeader,
        fields::Fields,
        invalid_token,
        macros::{self, api_errors},
    },
    units::{ByteCount, UploadId},
    upload::Phase,
};

/// After so many seconds what passes by itself may have passed.
pub const SOON_SECONDS: u32 = 1;

/// After so many seconds another upload may have ended and given its room back.
const ROOM_SECONDS: u32 = 60;

/// After so many seconds there may be memory, keys, or an answer again.
pub const RECOVERY_SECONDS: u32 = 5;

api_errors! {
    /// No upload has this id, or it is somebody else's: the two are not told apart, so that ids cannot be probed.
    UploadNotFound = "upload-not-found", 404, "There is no such upload";
        detail: "No upload has this id. It may have been forgotten long after it ended.",
        advice: "Begin a new upload.",
    /// What stands for an upload's id in the address is none.
    NotAnUploadId = "upload-not-found", 404, "There is no such upload";
        detail: "What stands for its id in the address is none: an id is a UUID, in lower case and with hyphens, as `uploadId` and `Location` in the answer to its creation have it.",
        advice: "Mend the address.",
    /// No such route.
    NoSuchRoute = "no-such-route", 404, "There is nothing at this address";
        detail: "Uploads are created by POST /upload/init, and in tus and the IETF draft by POST /files.",
        advice: "Mend the address; `BASE_PATH` of the deployment stands before it.",
    /// No error has the code that stands in the address of a page about one.
    NoSuchProblem = "no-such-route", 404, "There is nothing at this address";
        detail: "No error has this code here. It may be one of a newer version of the service.",
        advice: "Look the code up where the newer version is documented.",
    /// The upload has ended without an object, or the object has been deleted. `state` says which.
    UploadGone { phase: Phase, reason: String } = "upload-gone", 410, "The upload is gone";
        detail: "{reason}",
        advice: "Begin a new upload, unless `state` is `completed`: then the application has taken the file. In tus an upload that was cancelled or deleted is 404.",
        members: { "state": phase },
    /// The chunk does not begin where the accepted bytes end.
    OffsetMismatch { uploaded_bytes: ByteCount, is_whole: bool } = "offset-mismatch", 409, "The chunk does not begin at the accepted offset";
        detail: (if *is_whole {
            format!("All {uploaded_bytes} bytes of the file have been accepted; nothing is missing.")
        } else {
            format!("{uploaded_bytes} bytes have been accepted; send the chunk that begins there.")
        }),
        advice: "Go on at `uploadedBytes`.",
        offset: uploaded_bytes, header_named: Offset,
    /// A newer request has taken this upload over; what this one sent since its last whole part is not counted.
    Superseded { uploaded_bytes: ByteCount } = "superseded", 409, "Another request has taken the upload over";
        detail: "A newer request holds this upload. {uploaded_bytes} bytes have been accepted.",
        advice: "Leave it to the newer request. Where that is not yours, go on at `uploadedBytes`.",
        offset: uploaded_bytes,
    /// The upload is a concatenation of others: its bytes are theirs.
    ConcatenationTakesNoBytes = "concatenation-takes-no-bytes", 403, "The upload is a concatenation";
        detail: "Its bytes are those of the uploads that it was created with. None can be added.",
        advice: "Send bytes to the partial uploads instead.",
    /// An upload that another is to be concatenated from cannot be had.
    InvalidPartial { upload: UploadId, reason: String } = "invalid-partial-upload", 400, "An upload cannot be concatenated with others";
        detail: "{upload}: {reason}",
        advice: "Send that partial upload again, and name the new one.",
    /// The bytes of a partial upload are asked for, which is there to be concatenated with others and for nothing else.
    PartialNotServed = "partial-upload-not-served", 403, "A partial upload is not served";
        detail: "It is a partial upload, to be concatenated with others. Ask for the upload that it became part of.",
        advice: "Ask for the final upload.",
    /// The chunk would end beyond the length declared at creation.
    BeyondDeclaredLength { file_bytes: ByteCount, uploaded_bytes: ByteCount } = "beyond-declared-length", 413, "The chunk ends beyond the file";
        detail: "The file was declared with {file_bytes} bytes, and that cannot change.",
        advice: "Send no more than `fileSize` bytes, or begin a new upload with the right length. In tus it is 409 where the chunk does not begin at the accepted offset either.",
        offset: uploaded_bytes, members: { "fileSize": file_bytes },
    /// The request names another length for the whole file than was declared at creation.
    InconsistentLength { file_bytes: ByteCount, uploaded_bytes: ByteCount } = "inconsistent-length", 400, "The file was declared with another length";
        detail: "The file was declared with {file_bytes} bytes, and that cannot change.",
        advice: "Name the declared length, or none. Where the file has changed, begin a new upload.",
        offset: uploaded_bytes, header_named: Length, members: { "fileSize": file_bytes },
    /// Another client has been interrupted again and again, and must not be before anything of its bytes counts.
    Busy { uploaded_bytes: ByteCount, retry_after_seconds: u32 } = "busy", 409, "Somebody else is uploading";
        detail: "Another client has been interrupted again and again and is given {retry_after_seconds} s to get on. {uploaded_bytes} bytes have been accepted.",
        advice: "Come again after `Retry-After`.",
        offset: uploaded_bytes, retry_after: *retry_after_seconds,
    /// A chunk of a parallel upload that does not begin at a multiple of the chunk size, or has another length.
    ChunkMisaligned { chunk_bytes: ByteCount, uploaded_bytes: ByteCount } = "chunk-misaligned", 400, "The bytes are not one chunk";
        detail: "A chunk of a parallel upload begins at a multiple of {chunk_bytes} bytes and has exactly that many, but for the last.",
        advice: "Cut the file at multiples of `chunkSize`.",
        offset: uploaded_bytes, header_named: Offset, members: { "chunkSize": chunk_bytes },
    /// A chunk of a parallel upload that is there already; which, counted from 0, or none where all are.
    ChunkAlreadyStored { chunk: Option<u32>, uploaded_bytes: ByteCount } = "chunk-already-stored", 409, "The chunk is there already";
        detail: (match chunk {
            Some(chunk) => format!("The bytes of chunk {chunk} count. Ask for the status to see what is missing."),
            None => "All bytes count. Nothing is missing.".to_owned(),
        }),
        advice: "Go on with the next chunk that `missing` in the status names.",
        offset: uploaded_bytes, members: { "chunk": chunk },
    /// A chunk that is there already, with another digest than it comes with now; or that may be another file's of the same name.
    ChunkDiffers { uploaded_bytes: ByteCount } = "chunk-differs", 409, "The chunk is there already, with other bytes";
        detail: "These bytes of the file were stored before: with another digest, or nobody knows whether with this one. They cannot change.",
        advice: "The file has changed, or another of this name is being sent: begin a new upload, under an `Idempotency-Key` of its own.",
        offset: uploaded_bytes,
    /// The request body is larger than the deployment takes.
    ChunkTooLarge { limit_bytes: ByteCount } = "chunk-too-large", 413, "The chunk is too large";
        detail: "A chunk has at most {limit_bytes} bytes: the network in front of this service refuses bodies above 100 MB. Send the file in smaller chunks.",
        advice: "Send chunks of at most `limitBytes`.",
        members: { "limitBytes": limit_bytes },
    /// The file is larger than the deployment, or the token, allows.
    UploadTooLarge { limit_bytes: ByteCount } = "upload-too-large", 413, "The file is too large";
        detail: "A file has at most {limit_bytes} bytes here.",
        advice: "Do not try again with this file.",
        members: { "limitBytes": limit_bytes },
    /// Bytes for an upload whose parts go to storage directly.
    DirectOnly = "direct-only", 409, "The upload's parts go to storage directly";
        detail: "It was created with `direct`: ask for signed URLs, and send chunks there.",
        advice: "Use `parts/sign` and `parts`, or create the upload without `direct`.",
    /// A presigned part for an upload whose bytes come through this service.
    NotDirect = "not-direct", 409, "The upload's bytes come through this service";
        detail: "It was not created with `direct`: send its chunks here.",
        advice: "Send chunks by `PUT`, or create the upload with `direct: true`.",
    /// A part is recorded that storage does not have, or has with another ETag.
    PartNotStored { part_number: u16, uploaded_bytes: ByteCount } = "part-not-stored", 409, "Storage does not have the part";
        detail: "Part {part_number} is not there, or is not the one with this ETag. Sign its chunk again.",
        advice: "Sign the chunk again, store it, and record the new part.",
        offset: uploaded_bytes,
    /// A part is recorded that is not as long as its chunk.
    PartSizeMismatch { part_number: u16, part_bytes: ByteCount, expected_bytes: ByteCount, uploaded_bytes: ByteCount } = "part-size-mismatch", 409, "The part is not as long as its chunk";
        detail: "Part {part_number} has {part_bytes} bytes and must have {expected_bytes}. Sign its chunk again.",
        advice: "Sign the chunk again, and store all of its bytes.",
        offset: uploaded_bytes,
    /// The request has no `Content-Length`.
    LengthRequired = "length-required", 411, "The request needs a Content-Length";
        detail: "Send Content-Length, and no Transfer-Encoding: storage takes a body only when its length is known beforehand. A stream whose length is not known can be sent in tus or the IETF draft, without a checksum.",
        advice: "Send `Content-Length`.",
    /// The body ended before its `Content-Length`. Whole parts that arrived may have been kept.
    BodyCutShort { uploaded_bytes: ByteCount } = "body-cut-short", 400, "The body ended early";
        detail: "The connection ended before the body did. Go on at {uploaded_bytes}.",
        advice: "Go on at `uploadedBytes`.",
        offset: uploaded_bytes,
    /// The body brought too little for too long. Whole parts that arrived may have been kept.
    BodyStalled { uploaded_bytes: ByteCount } = "body-stalled", 408, "The body stalled";
        detail: "Too little arrived for too long. Go on at {uploaded_bytes}.",
        advice: "Go on at `uploadedBytes`.",
        offset: uploaded_bytes,
    /// A JSON document ended before its `Content-Length`.
    DocumentCutShort = "body-cut-short", 400, "The body ended early";
        detail: "The connection ended before the body did. Send it again.",
        advice: "Send the document again.",
    /// A JSON document brought too little for too long.
    DocumentStalled = "body-stalled", 408, "The body stalled";
        detail: "Too little of the body arrived for too long. Send it again.",
        advice: "Send the document again.",
    /// There is no memory for a JSON document just now.
    Overloaded = "overloaded", 503, "Too much is under way just now";
        detail: "Too many bodies are on their way. Send it again, after a pause.",
        advice: "Come again after `Retry-After`.",
        retry_after: RECOVERY_SECONDS,
    /// R2 did not take the bytes, for a reason that passes.
    StorageUnavailable { uploaded_bytes: ByteCount } = "storage-unavailable", 503, "Storage is not available just now";
        detail: "The bytes could not be stored. Go on at {uploaded_bytes}, after a pause.",
        advice: "Go on at `uploadedBytes` after `Retry-After`.",
        offset: uploaded_bytes, retry_after: SOON_SECONDS,
    /// R2 did not take a new upload, for a reason that passes. Nothing of it is left.
    NotCreated = "storage-unavailable", 503, "Storage is not available just now";
        detail: "The upload was not created, and nothing of it is left. Ask for it again after a pause.",
        advice: "Create it again after `Retry-After`.",
        retry_after: SOON_SECONDS,
    /// The request speaks another version of its protocol.
    UnsupportedVersion { supported: String } = "unsupported-version", 412, "The protocol's version is not spoken here";
        detail: "Send `{supported}`.",
        advice: "Speak the version that `detail` names.",
    /// The body is declared as something else than what is taken here.
    UnsupportedMediaType { expected: String } = "unsupported-media-type", 415, "The body is not of the expected media type";
        detail: "Send {expected}.",
        advice: "Send the `Content-Type` that `detail` names.",
    /// A header, a parameter or a field of the body is malformed, or does not fit the others.
    BadRequest { field: String, detail: String } = "bad-request", 400, "The request is malformed";
        detail: "{field}: {detail}",
        advice: "Mend what `field` names. Sending the same again does not help.",
        members: { "field": field },
    /// A chunk that its sender knows by its place in the file has waited for those in front of it, and they did not come.
    ChunkTooEarly { uploaded_bytes: ByteCount } = "chunk-too-early", 503, "The chunks in front of it have not come";
        detail: "{uploaded_bytes} bytes have been accepted, and the chunk begins behind them. What lies between did not come while it waited.",
        advice: "Send what is missing before it, and then the chunk again.",
        offset: uploaded_bytes, retry_after: SOON_SECONDS,
    /// The chunk's bytes do not have the digest that came with it. Nothing of it is counted.
    ChecksumMismatch { uploaded_bytes: ByteCount } = "checksum-mismatch", 422, "The chunk does not have its checksum";
        detail: "The bytes that arrived do not have the checksum that came with them: either is wrong. Nothing of the chunk counts: send it again at {uploaded_bytes}, and its checksum computed anew.",
        advice: "Send the chunk again at `uploadedBytes`.",
        offset: uploaded_bytes, header_named: Checksum,
    /// The whole file does not have the digest declared at creation. `repairable` says whether its bytes are kept for a while.
    FileDigestMismatch { actual: String, kept: bool } = "digest-mismatch", 422, "The file does not have its digest";
        detail: (if *kept {
            format!("The bytes that arrived have the digest {actual}. They are kept for a while: once the upload is `damaged`, compare your file with its manifest, and send again what differs (`POST …/repair`).")
        } else {
            format!("The bytes that arrived have the digest {actual}. The upload has failed; begin a new one.")
        }),
        advice: "Repair it where `repairable` is true; otherwise begin a new upload.",
        members: { "repairable": kept },
    /// The file has arrived whole, does not have its declared digest, and waits to be repaired: nothing else can be done with it.
    Damaged { reason: String } = "damaged", 409, "The file waits to be repaired";
        detail: "{reason} Compare your file with its manifest, and send again what differs, or delete the upload.",
        advice: "Repair or delete it. To tus and the draft, which have no repair, it has failed: 410 `upload-gone`.",
        members: { "state": Phase::Damaged },
    /// A manifest or a repair is asked for where there is nothing to repair, or not any more.
    NotDamaged { phase: Phase } = "not-damaged", 409, "There is nothing to repair";
        detail: (format!("The upload is {}. Only one that is damaged has a manifest and can be repaired.", phase.name())),
        advice: "Ask for the status.",
        members: { "state": phase },
    /// Completion, or the object, is asked for while bytes are missing, or before the length is declared.
    Incomplete { missing_bytes: Option<ByteCount>, uploaded_bytes: ByteCount } = "incomplete", 409, "Bytes are missing";
        detail: (match missing_bytes {
            Some(bytes) => format!("{bytes} bytes have not arrived yet."),
            None => "How long the file is has not been declared yet, and so nobody knows that it is whole.".to_owned(),
        }),
        advice: "Send what is missing.",
        offset: uploaded_bytes, members: { "missingBytes": missing_bytes },
    /// All bytes are there and the object is being put together; it cannot be cancelled or served just now.
    Completing = "completing", 409, "The upload is being completed";
        detail: "All bytes are there and the object is being put together. Ask again in a second.",
        advice: "Come again after `Retry-After`.",
        retry_after: SOON_SECONDS,
    /// The object is asked for, and somebody is to look at it first.
    Held = "held", 409, "The file is held";
        detail: "All of it is there. Nobody gets it before somebody has looked at it and released it.",
        advice: "Wait for `upload.completed`, or ask for the status: `held` says whether it is still so. It may also be rejected: then the upload has failed.",
    /// What is not held, or not any more, is to be released or rejected.
    NotHeld { phase: Phase } = "not-held", 409, "The upload is not held";
        detail: (format!("The upload is {}, and not held. Only one that is can be released or rejected.", phase.name())),
        advice: "Ask for the status.",
        members: { "state": phase },
    /// Everybody who has begun these bytes before may still be writing to R2, and no part number is free.
    WritersPending { uploaded_bytes: ByteCount, retry_after_seconds: u32 } = "writers-pending", 503, "Earlier requests for these bytes have not ended yet";
        detail: "Requests that were cut off may still reach storage. Go on at {uploaded_bytes}, in {retry_after_seconds} s at the latest.",
        advice: "Go on at `uploadedBytes` after `Retry-After`.",
        offset: uploaded_bytes, retry_after: *retry_after_seconds,
    /// The event is to be sent again, and there is none, or it is still on its way.
    NothingToRedeliver = "nothing-to-redeliver", 409, "There is no event to send again";
        detail: "The upload has no event, or its event is on its way.",
        advice: "Ask for the status: `delivery` says how the event stands.",
    /// The event was sent again a moment ago, because somebody asked for it.
    RedeliveredRecently { retry_after_seconds: u32 } = "redelivered-recently", 429, "The event was sent again a moment ago";
        detail: "Try again in {retry_after_seconds} s.",
        advice: "Come again after `Retry-After`.",
        retry_after: *retry_after_seconds,
    /// The route has no such method.
    MethodNotAllowed { allow: String } = "method-not-allowed", 405, "The method is not allowed here";
        detail: "Allowed are {allow}.",
        advice: "Use one of the methods in `Allow`.",
        header: ("allow", allow.clone()),
    /// The route answers only on a channel: by WebSocket, or with Server-Sent Events.
    UpgradeRequired = "upgrade-required", 426, "No channel was asked for";
        detail: "Open it as a WebSocket or with `Accept: text/event-stream`, or ask for the status, which says the same once.",
        advice: "Open a WebSocket, send `Accept: text/event-stream`, or ask for the status.",
        header: ("upgrade", "websocket".to_owned()),
    /// As many clients listen to this upload, or to all of its owner's, as are told.
    TooManyWatchers = "too-many-watchers", 503, "Too many clients are listening";
        detail: "Ask for the status now and then; it says the same.",
        advice: "Ask for the status now and then.",
    /// The owner has used what it may.
    QuotaExceeded { quota: String, retry_after_seconds: Option<u32> } = "quota-exceeded", 429, "The quota is used up";
        detail: "The owner has no room left: {quota}.",
        advice: "Finish or delete other uploads, or come again after `Retry-After`.",
        retry_after: retry_after_seconds.unwrap_or(ROOM_SECONDS),
    /// The `Idempotency-Key` was used for another request.
    IdempotencyMismatch = "idempotency-mismatch", 422, "The Idempotency-Key was used for something else";
        detail: "Repeat a request exactly under its key, or take a fresh key for a new one.",
        advice: "Take a fresh key.",
    /// A signed URL that is altered, expired, or for something else.
    BadSignature = "bad-signature", 403, "The URL's signature is not valid";
        detail: "It was altered, has expired, or was made for something else.",
        advice: "Have a new link made, for instance by `POST …/redeliver`.",
    /// The asked-for byte range lies outside the object.
    RangeNotSatisfiable { object_bytes: ByteCount } = "range-not-satisfiable", 416, "The range lies outside the object";
        detail: "The object has {object_bytes} bytes.",
        advice: "Ask for a range within what `Content-Range` says.",
        header: ("content-range", format!("bytes */{object_bytes}")),
    /// The object is not the one that `If-Match` or `If-Unmodified-Since` asks for.
    PreconditionFailed { etag: String } = "precondition-failed", 412, "The object is another one";
        detail: "It is not the one that If-Match or If-Unmodified-Since asks for: its ETag is \"{etag}\".",
        advice: "Begin the download anew.",
        header: ("etag", format!("\"{etag}\"")),
    /// The deployment lacks a setting and takes no uploads until it is there.
    NotConfigured { detail: String } = "not-configured", 503, "The service is not set up";
        detail: "{detail}",
        advice: "Only whoever runs the service can help: `detail` names the setting.",
    /// The request comes without a token, and needs one.
    Unauthorized = "unauthorized", 401, "Uploading needs a token";
        detail: "Send an upload token: `Authorization: Bearer …`.",
        advice: "Get a token and send it.",
        challenge: "Bearer realm=\"uploads\"".to_owned(),
    /// The request comes with a token that is not good.
    InvalidToken { detail: String } = "invalid-token", 401, "The token is not valid";
        detail: "{detail}",
        advice: "Get a new token. Where that does not help, the application makes its tokens wrongly, and `detail` says how.",
        // Quotes and backslashes would have to be escaped; no detail of ours has any.
        challenge: invalid_token(&detail.replace(['"', '\\'], "")),
    /// The request comes with a token that was good once, and is not for what it created.
    TokenExpired = "token-expired", 401, "The token has expired";
        detail: "Get a new one. Uploads that were created with this one can still be finished with it.",
        advice: "Get a new token.",
        challenge: invalid_token("The token has expired."),
    /// The token is good, and not for this.
    NotPermitted { detail: String } = "not-permitted", 403, "The token is not for this";
        detail: "{detail}",
        advice: "Do not try again with this token.",
        challenge: "Bearer realm=\"uploads\", error=\"insufficient_scope\"".to_owned(),
    /// The token is an admin's, and an admin has no uploads.
    AdminToken = "admin-token", 403, "The token is an admin's";
        detail: "A token with `scope: admin` is for the routes below /admin/, and uploads nothing. Take a token without it.",
        advice: "Take a token of the owner's for this, or a route below `/admin/`.",
        challenge: "Bearer realm=\"uploads\", error=\"insufficient_scope\"".to_owned(),
    /// Whoever runs the service has switched it off, wholly or in part. Nothing is lost.
    Paused { mode: String, detail: String, retry_after_seconds: u32 } = "service-paused", 503, "The service does not take this just now";
        detail: "{detail}",
        advice: "Come again after `Retry-After`: nothing of what has been uploaded is lost. `mode` says what is not taken: `no-creations`, `read-only` or `closed`. `detail` is meant for whoever waits.",
        members: { "mode": mode },
        retry_after: *retry_after_seconds,
    /// The link has taken its file.
    LinkUsed = "link-used", 422, "The link has taken its file";
        detail: "The link takes one file, and has it. Ask whoever gave it to you for another.",
        advice: "Ask for another link.",
    /// Another file is on its way by the link.
    LinkInUse { upload: UploadId, retry_after_seconds: u32 } = "link-in-use", 409, "Another file is on its way by this link";
        detail: "The link takes one file, and upload {upload} is not finished. Go on with it, or delete it. The same file, by its name and length, takes its place once nothing has come of it for {retry_after_seconds} s.",
        advice: "Go on with `openUpload`, or delete it, or come again after `Retry-After`. It expires by itself.",
        members: { "openUpload": upload },
        retry_after: *retry_after_seconds,
    /// The link was taken back by whoever made it.
    LinkRevoked = "link-revoked", 422, "The link was taken back";
        detail: "Whoever made the link has taken it back. Ask them for another.",
        advice: "Ask for another link.",
    /// The link takes no new file any more.
    LinkExpired = "link-expired", 422, "The link has expired";
        detail: "Its time is over. Ask whoever gave it to you for another. A file that it has begun to take can still be finished with it.",
        advice: "Ask for another link.",
    /// The link is not as it was made.
    LinkInvalid = "link-invalid", 422, "The link is not a genuine one";
        detail: "The address is not the one that was made: a piece of it is missing or changed. Or the deployment's DOWNLOAD_SECRET is another one since.",
        advice: "Mend the address.",
    /// Files of this type are not taken, from this client or at all.
    TypeNotAllowed { allowed: String } = "type-not-allowed", 415, "Files of this type are not taken";
        detail: "Declare the file's type; these are taken: {allowed}.",
        advice: "Do not try again with this file, unless its type was declared wrongly.",
    /// The file cannot be cut: it is neither fragmented MP4 nor MPEG-TS, or somewhere it cannot be for more than 10 seconds, has samples that are counted
    /// from the front of the file, or no clock; or its playlist would be too long: 20,000 segments, or 8 MiB by a link with a long file name.
    NoPlaylist = "no-playlist", 415, "There is no playlist of this file";
        detail: "Fragmented MP4 has one, in fragments of 10 seconds at most whose samples are not counted from the front of the file, and MPEG-TS with a clock, up to 20,000 segments, or 8 MiB with a link's long file name. `/content?follow` serves the file as it is.",
        advice: "Play `/content` instead, or record in another way.",
    /// Too many uploads were created in a short time, by one owner or from one address.
    RateLimited { retry_after_seconds: u32 } = "rate-limited", 429, "Too many uploads in a short time";
        detail: "Try again in {retry_after_seconds} s.",
        advice: "Come again after `Retry-After`.",
        retry_after: *retry_after_seconds,
    /// All headers together, or the address, are larger than any request here needs.
    HeadTooLarge { limit_bytes: ByteCount } = "head-too-large", 431, "The headers are too large";
        detail: "They may have {limit_bytes} bytes in all.",
        advice: "Send fewer or shorter headers.",
        members: { "limitBytes": limit_bytes },
    /// A header that is given back with answers is longer than what every client takes in one.
    FieldTooLarge { field: String, limit_bytes: ByteCount } = "field-too-large", 431, "A header is too long";
        detail: "{field} may have {limit_bytes} bytes here. It comes back with every answer to HEAD, and longer ones cannot be read by every client: shorten it, or keep what is in it elsewhere, under the upload's id.",
        advice: "Shorten the header that `field` names.",
        members: { "field": field, "limitBytes": limit_bytes },
    /// The public keys that tokens are checked with could not be fetched just now.
    KeysUnavailable = "keys-unavailable", 503, "Tokens cannot be checked just now";
        detail: "The public keys could not be fetched. Try again in a few seconds.",
        advice: "Come again after `Retry-After`.",
        retry_after: RECOVERY_SECONDS,
    /// The application was asked, and does not take this upload.
    RefusedByApplication { detail: String, application_code: String } = "refused-by-application", 403, "The application does not take this upload";
        detail: "{detail}",
        advice: "Show `detail` to whoever uploads: it is the application's own word, and so is `applicationCode`, where it has given one. Do not try again unchanged.",
        members: { "applicationCode": Some(application_code).filter(|code| !code.is_empty()) },
    /// The application is to be asked before an upload is created, and has not answered. Nothing was created.
    AcceptHookFailed { retry_after_seconds: u32 } = "accept-hook-failed", 503, "The application did not answer";
        detail: "The application that decides about this upload was asked, and did not answer as it must. Nothing was created: ask for it again in {retry_after_seconds} s.",
        advice: "Create it again after `Retry-After`.",
        retry_after: *retry_after_seconds,
}
