//! What is said beside the bytes of a file, whole or still growing. They are inert: no browser sniffs or runs them, and nobody on the way may
//! change them. They are an attachment, unless their link says that they are shown, and they are of a type that runs nothing.

use durable_objects::platform::error::Result;
use percent_encoding::utf8_percent_encode;
use upload_types::{
    link::{Disposition, Presentation, inline_type},
    public_file::ATTRIBUTE,
    upload::Snapshot,
};
use worker::{Headers, Response};

/// The object's bytes, and how its upload stands.
pub(super) type HandedOut = Result<(Response, Snapshot)>;

/// Nobody on the way keeps it, or changes it.
pub(super) const NOT_KEPT: &str = "private, no-store, no-transform";

/// The policy under which a browser would open what it saves: nothing runs, and nothing is loaded.
const SAVED: &str = "sandbox; default-src 'none'";

/// The policy for what it shows. Nothing runs either. A browser makes a document around a film, which loads it once more from this address:
/// that one must be of this host, and may load it.
const SHOWN: &str = "sandbox allow-same-origin; default-src 'none'; media-src 'self'";

/// What goes with the bytes, or would: so many, where that is known, and of such a range.
pub(super) fn describe(
    headers: &Headers,
    snapshot: &Snapshot,
    presentation: &Presentation,
    length: Option<u64>,
    range: Option<&str>,
) -> Result<()> {
    if let Some(length) = length {
        headers.set("content-length", &length.to_string())?;
    }
    if let Some(range) = range {
        headers.set("content-range", range)?;
    }
    headers.set("accept-ranges", "bytes")?;
    let stated_type = snapshot.file.content_type.as_deref().unwrap_or("application/octet-stream");
    let shown_type = inline_type(stated_type).filter(|_| presentation.disposition == Disposition::Inline);
    headers.set("content-type", shown_type.unwrap_or(stated_type))?;
    let (disposition, security) = if shown_type.is_some() { ("inline", SHOWN) } else { ("attachment", SAVED) };
    let file_name = presentation.file_name.as_ref().unwrap_or(&snapshot.file.name);
    let name = utf8_percent_encode(file_name, ATTRIBUTE);
    // RFC 6266.
    headers.set("content-disposition", &format!("{disposition}; filename*=UTF-8''{name}"))?;
    headers.set("x-content-type-options", "nosniff")?;
    headers.set("content-security-policy", security)?;
    Ok(())
}
