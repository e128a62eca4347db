//! Clients of older drafts, by `Upload-Draft-Interop-Version`. A request is rewritten to what the newest draft would say, the
//! answer to what theirs says; nothing else here knows that there are several.
//!
//! | interop | draft | spoken by | differs in |
//! |---|---|---|---|
//! | 3 | -01 | URLSession of iOS 17 | `Upload-Incomplete`, the inverse of `Upload-Complete`; no media type |
//! | 4, 5 | -02, -03 | tus-js-client's `ietf-draft-03`, URLSession of iOS 18.0 | no media type |
//! | 6 | -04, -05 | tus-js-client's `ietf-draft-05`, URLSession of iOS 18.1 | the limit `expires` for `max-age`; complete at the full length |
//! | 7 | -06 to -08 | | nothing that a server says otherwise |
//! | 8 | -09 to -11 | URLSession of iOS 26 | |
//! | 9 | -12 and later | | |

use std::borrow::Cow;

use http::Method;

use super::fields::{self, COMPLETE, INCOMPLETE, INTEROP, LIMIT, PARTIAL_UPLOAD};
use crate::{FILES_PATH, Head, body_type::is_multipart};
use upload_types::{chunk::Completion, operation::Reply};

/// The newest interop version.
const NEWEST: u64 = 9;

/// The oldest interop version.
const OLDEST: u64 = 3;

/// An interop version; none for clients of the finished standard, which name none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Version(Option<u64>);

impl Version {
    /// As the request says. One that we do not know is taken for the newest, and is not told that we know it.
    pub(super) fn of(head: &Head) -> Self {
        Self(fields::integer(head, INTEROP).filter(|version| (OLDEST..=NEWEST).contains(version)))
    }

    fn is_at_most(self, version: u64) -> bool {
        self.0.is_some_and(|this| this <= version)
    }

    /// The request in the words of the newest draft.
    pub(super) fn request(self, head: &Head) -> Cow<'_, Head> {
        if !self.is_at_most(5) {
            return Cow::Borrowed(head);
        }
        let mut head = head.clone();
        if self.is_at_most(3)
            && let Some(incomplete) = fields::boolean(&head, INCOMPLETE)
        {
            head.headers.insert(COMPLETE, fields::written(!incomplete));
        }
        let is_append = head.method == Method::PATCH
            && head.path.strip_prefix(FILES_PATH).is_some_and(|rest| !rest.trim_matches('/').is_empty());
        // A form stays one, and is refused.
        if is_append && !is_multipart(&head) {
            head.headers.insert("content-type", PARTIAL_UPLOAD);
        }
        Cow::Owned(head)
    }

    /// When an upload is complete whose last missing bytes come with `Upload-Complete: ?0`. By the drafts, once another request says `?1`.
    /// But tus-js-client, which speaks interop 5 and 6, sends the last chunk of a stream so, and reports success at the full offset;
    /// the reference server of those versions is complete then.
    pub(super) fn unfinished(self) -> Completion {
        if self.is_at_most(6) { Completion::WhenWhole } else { Completion::WhenTold }
    }

    /// The answer in the words of the request's draft, which it names again.
    pub(super) fn reply(self, mut reply: Reply) -> Reply {
        let Some(version) = self.0 else { return reply };
        for (name, value) in &mut reply.headers {
            if *name == COMPLETE && self.is_at_most(3) {
                *name = INCOMPLETE;
                fields::written(value == fields::written(false)).clone_into(value);
            } else if *name == LIMIT && self.is_at_most(6) {
                *value = value.replace("max-age=", "expires=");
            }
        }
        reply.with(INTEROP, version.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Headers;

    fn head(method: Method, path: &str, headers: &[(&'static str, &str)]) -> Head {
        Head { method, path: path.to_owned(), query: String::new(), headers: Headers::of(headers.iter().copied()) }
    }

    #[test]
    fn older_requests_are_put_into_newest_words() {
        let append = |headers: &[_]| head(Method::PATCH, "/files/x", headers);
        for (version, sent, name, understood) in [
            ("3", (INCOMPLETE, "?0"), COMPLETE, Some("?1")),
            ("3", (INCOMPLETE, "?1"), COMPLETE, Some("?0")),
            ("3", (INCOMPLETE, "false"), COMPLETE, None),
            ("4", (INCOMPLETE, "?0"), COMPLETE, None),
            ("5", (COMPLETE, "?1"), COMPLETE, Some("?1")),
            ("3", (COMPLETE, "?1"), "content-type", Some(PARTIAL_UPLOAD)),
            ("5", ("content-type", "text/plain"), "content-type", Some(PARTIAL_UPLOAD)),
            ("5", ("content-type", "multipart/form-data"), "content-type", Some("multipart/form-data")),
            ("6", ("content-type", "text/plain"), "content-type", Some("text/plain")),
            ("8", (INCOMPLETE, "?0"), COMPLETE, None),
            ("2", (INCOMPLETE, "?0"), COMPLETE, None),
            ("99", (COMPLETE, "?0"), "content-type", None),
        ] {
            let sent = append(&[(INTEROP, version), sent]);
            let head = Version::of(&sent).request(&sent);
            assert_eq!(head.header(name), understood, "version {version}: {sent:?}");
        }
        let creation = head(Method::POST, "/files", &[(INTEROP, "5"), ("content-type", "image/png")]);
        assert_eq!(Version::of(&creation).request(&creation).header("content-type"), Some("image/png"));
    }

    #[test]
    fn at_the_full_length_published_clients_are_done_and_newer_ones_say_so() {
        for (version, expected) in [
            ("3", Completion::WhenWhole),
            ("6", Completion::WhenWhole),
            ("7", Completion::WhenTold),
            ("9", Completion::WhenTold),
            ("99", Completion::WhenTold),
        ] {
            let head = head(Method::PATCH, "/files/x", &[(INTEROP, version)]);
            assert_eq!(Version::of(&head).unfinished(), expected, "{version}");
        }
        assert_eq!(Version::of(&head(Method::PATCH, "/files/x", &[])).unfinished(), Completion::WhenTold);
    }

    #[test]
    fn answers_are_put_into_the_words_of_the_request() {
        let answer = || Reply::empty(204).with(COMPLETE, "?0").with(LIMIT, "max-size=9, max-age=60");
        let cases: [(&str, &[(&'static str, &str)]); 7] = [
            ("3", &[(INCOMPLETE, "?1"), (LIMIT, "max-size=9, expires=60"), (INTEROP, "3")]),
            ("5", &[(COMPLETE, "?0"), (LIMIT, "max-size=9, expires=60"), (INTEROP, "5")]),
            ("6", &[(COMPLETE, "?0"), (LIMIT, "max-size=9, expires=60"), (INTEROP, "6")]),
            ("7", &[(COMPLETE, "?0"), (LIMIT, "max-size=9, max-age=60"), (INTEROP, "7")]),
            ("8", &[(COMPLETE, "?0"), (LIMIT, "max-size=9, max-age=60"), (INTEROP, "8")]),
            ("9", &[(COMPLETE, "?0"), (LIMIT, "max-size=9, max-age=60"), (INTEROP, "9")]),
            ("99", &[(COMPLETE, "?0"), (LIMIT, "max-size=9, max-age=60")]),
        ];
        for (version, expected) in cases {
            let asked = head(Method::PATCH, "/files/x", &[(INTEROP, version)]);
            let headers = Version::of(&asked).reply(answer()).headers;
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!(headers, expected, "version {version}");
        }
    }
}
