//! `GET /by/{token}` from a browser: the page that sends a file by the link. What may run in it, the page says itself; it is nobody's frame, and
//! its address, which is the link, goes to nobody by `Referer`.

use upload_protocols::{Head, by_link};
use upload_types::operation::Reply;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    /// `src/link_page`, as one document: `src/instance.js` has it.
    #[wasm_bindgen(js_name = quaysideLinkPage)]
    fn page_text() -> String;
}

/// The page, where it is asked for. `link` is what of the address the link is.
pub(crate) fn answer(head: &Head, link: Option<&str>) -> Option<Reply> {
    link.filter(|_| by_link::is_opened(head))?;
    let reply = Reply::empty(200)
        .with("content-type", "text/html; charset=utf-8")
        .with("content-security-policy", "frame-ancestors 'none'")
        .with("referrer-policy", "no-referrer")
        .with("x-content-type-options", "nosniff")
        .with("vary", "Accept")
        .with("cache-control", "no-store");
    Some(Reply { body: Some(page_text()), ..reply })
}
