//! Requests that come by a link: `/by/{token}`, and below that the addresses that there are without one. So every client can be given a link
//! in place of the service's own address, and what is answered has addresses below the link, too.
//!
//! The link itself is the endpoint of every protocol: by its headers a request says whether it is tus or the draft, and everything else means
//! `/upload`. A file that is put below it has its name from there, which `curl -T` adds where the address ends with a slash; one that is put
//! at the link itself is posted.

use http::Method;

use upload_types::upload_link::UPLOAD_LINK_PREFIX;

use crate::{FILES_PATH, Head, companion, headers::printable, ietf, problem_page};

/// What stands before the token.
const PREFIX: &str = "/by/";

/// Where JSON, forms and plain bodies go.
const UPLOAD_PATH: &str = "/upload";

/// What the link itself is to whoever reads it: a place for a file, and, for a person, a page.
const OPENED_PATH: &str = "/upload/new";

/// Where the request of a link with this token goes, below the service's own address.
pub(crate) fn below(token: &str) -> String {
    format!("{PREFIX}{token}")
}

/// Takes the link out of a request's head, if it came by one: its token stands in `Authorization` then, in place of any other. What of the
/// path it was. No other token may stand in an address: those are good for more than a file, and addresses are logged and passed on.
pub fn take(head: &mut Head) -> Option<String> {
    let (token, rest) = split(&head.path)?;
    let (link, is_at_link) = (below(token), rest.is_empty());
    let bearer = format!("Bearer {}", printable(token)?);
    head.path = route(head, rest).unwrap_or_default();
    if is_at_link && head.method == Method::PUT {
        head.method = Method::POST;
    }
    head.headers.insert("authorization", bearer);
    Some(link)
}

/// Whether somebody has opened the link in a browser. `head` is what [`take`] has left.
pub fn is_opened(head: &Head) -> bool {
    let is_read = matches!(head.method, Method::GET | Method::HEAD) && head.path == OPENED_PATH;
    is_read && head.header("accept").is_some_and(problem_page::wants_html)
}

fn split(path: &str) -> Option<(&str, &str)> {
    let behind = path.strip_prefix(PREFIX).filter(|token| token.starts_with(UPLOAD_LINK_PREFIX))?;
    Some(behind.find('/').map_or((behind, ""), |at| behind.split_at(at)))
}

/// What the request would be without the link; none of what a link does not open.
fn route(head: &Head, rest: &str) -> Option<String> {
    let is_file_of_that_name = head.method == Method::PUT && !head.headers.contains_key("content-range");
    let is_below = |path: &str| {
        rest.strip_prefix(path).is_some_and(|rest| rest.starts_with('/') || rest.is_empty() && !is_file_of_that_name)
    };
    let is_resumable = head.headers.contains_key("tus-resumable") || ietf::is_spoken(head);
    if is_resumable && rest == FILES_PATH || [UPLOAD_PATH, FILES_PATH, companion::PATH].into_iter().any(is_below) {
        return Some(rest.to_owned());
    }
    match rest.strip_prefix('/') {
        None if is_resumable => Some(FILES_PATH.to_owned()),
        None if matches!(head.method, Method::GET | Method::HEAD) && head.query.is_empty() => {
            Some(OPENED_PATH.to_owned())
        }
        None => Some(UPLOAD_PATH.to_owned()),
        Some(name) if head.method == Method::PUT && !name.contains('/') => Some(format!("{UPLOAD_PATH}/new/{name}")),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(method: &Method, path: &str, headers: &[(&'static str, &str)]) -> (Option<String>, Head) {
        let headers = crate::Headers::of(headers.iter().copied());
        let mut head = Head { method: method.clone(), path: path.to_owned(), query: String::new(), headers };
        (take(&mut head), head)
    }

    #[test]
    fn a_link_is_the_endpoint_of_every_protocol() {
        let (tus, draft) = (("tus-resumable", "1.0.0"), ("upload-complete", "?1"));
        for (method, path, headers, expected) in [
            (Method::POST, "/by/qul_a.b", &[][..], "/upload"),
            (Method::PUT, "/by/qul_a.b", &[], "/upload"),
            (Method::GET, "/by/qul_a.b", &[], "/upload/new"),
            (Method::POST, "/by/qul_a.b", &[tus], "/files"),
            (Method::OPTIONS, "/by/qul_a.b", &[tus], "/files"),
            (Method::POST, "/by/qul_a.b", &[draft], "/files"),
            (Method::PUT, "/by/qul_a.b/cat.png", &[], "/upload/new/cat.png"),
            (Method::PUT, "/by/qul_a.b/upload/x", &[], "/upload/x"),
            (Method::PUT, "/by/qul_a.b/upload", &[], "/upload/new/upload"),
            (Method::PUT, "/by/qul_a.b/files", &[], "/upload/new/files"),
            (Method::PUT, "/by/qul_a.b/upload", &[("content-range", "bytes 0-0/1")], "/upload"),
            (Method::PUT, "/by/qul_a.b/files", &[draft], "/files"),
            (Method::POST, "/by/qul_a.b/upload/init", &[], "/upload/init"),
            (Method::PATCH, "/by/qul_a.b/files/x", &[tus], "/files/x"),
            (Method::POST, "/by/qul_a.b/s3/params", &[], "/s3/params"),
        ] {
            let (link, head) = taken(&method, path, headers);
            assert_eq!((link.as_deref(), head.path.as_str()), (Some("/by/qul_a.b"), expected), "{method} {path}");
            assert_eq!(head.header("authorization"), Some("Bearer qul_a.b"));
        }
        assert_eq!(taken(&Method::PUT, "/by/qul_a.b", &[]).1.method, Method::POST);
        assert_eq!(taken(&Method::PUT, "/by/qul_a.b/cat.png", &[]).1.method, Method::PUT);
    }

    #[test]
    fn a_person_opens_it_and_a_program_does_not() {
        let html = ("accept", "text/html,*/*;q=0.8");
        for (method, headers, expected) in [
            (Method::GET, &[html][..], true),
            (Method::HEAD, &[html], true),
            (Method::GET, &[("accept", "*/*")], false),
            (Method::GET, &[], false),
            (Method::POST, &[html], false),
        ] {
            assert_eq!(is_opened(&taken(&method, "/by/qul_a.b", headers).1), expected, "{method} {headers:?}");
        }
        assert!(!is_opened(&taken(&Method::GET, "/by/qul_a.b/upload", &[html]).1));
    }

    #[test]
    fn what_it_says_counts_before_any_other_token() {
        let (_, head) = taken(&Method::POST, "/by/qul_a.b", &[("authorization", "Bearer other")]);
        assert_eq!(head.headers.get_all("authorization").count(), 1);
        assert_eq!(head.header("authorization"), Some("Bearer qul_a.b"));
    }

    #[test]
    fn a_link_opens_nothing_else() {
        for (method, path) in [
            (Method::GET, "/by/qul_a.b/uploads"),
            (Method::GET, "/by/qul_a.b/readyz"),
            (Method::GET, "/by/qul_a.b/cat.png"),
            (Method::PUT, "/by/qul_a.b/a/b"),
            (Method::POST, "/by/qul_a.b/by/qul_c.d"),
            (Method::POST, "/by/qul_a.b/uploads"),
        ] {
            let (link, head) = taken(&method, path, &[]);
            assert!(link.is_some() && head.path.is_empty(), "{method} {path}: {}", head.path);
        }
        for path in [
            "/by",
            "/bya/b",
            "/upload",
            "/",
            "/by/a.b.c/upload",
            "/by/qut_a/upload",
            "/by//upload",
            "/by/qul_\u{1}/upload",
        ] {
            let (link, head) = taken(&Method::POST, path, &[]);
            assert_eq!((link, head.path.as_str(), head.header("authorization")), (None, path, None));
        }
    }
}
