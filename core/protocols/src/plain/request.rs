//! Requests of the plain protocol: where they go, and what the file is called.

use http::Method;
use percent_encoding::percent_decode_str;

use crate::{Head, Parsed, disposition, whole_body};
use upload_types::api_error::ApiError;

/// Where a file is posted.
const POST_PATH: &str = "/upload";

/// Below it a file is put under its name.
const PUT_PATH: &str = "/upload/new";

/// Whether a request is one of these.
pub fn is_spoken(head: &Head) -> bool {
    let is_post = head.path == POST_PATH && matches!(head.method, Method::POST | Method::OPTIONS);
    is_post || named_by_address(head).is_some()
}

/// Understands a request's head.
pub fn parse(head: &Head) -> Result<Parsed, ApiError> {
    let name = match named_by_address(head) {
        None => name_beside(head)?.unwrap_or_else(|| disposition::FALLBACK.to_owned()),
        Some(segment) => {
            if !matches!(head.method, Method::PUT | Method::POST) {
                return Err(ApiError::MethodNotAllowed { allow: "PUT, POST, OPTIONS".to_owned() });
            }
            let name = match name_in_address(segment)? {
                Some(name) => Some(name),
                None => name_beside(head)?,
            };
            name.ok_or_else(nameless)?
        }
    };
    whole_body::creation(head, name).map(|operation| Parsed::Ready(Box::new(operation)))
}

/// What stands behind [`PUT_PATH`]; empty where nothing does.
fn named_by_address(head: &Head) -> Option<&str> {
    let rest = head.path.strip_prefix(PUT_PATH)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

fn name_in_address(segment: &str) -> Result<Option<String>, ApiError> {
    if segment.is_empty() {
        return Ok(None);
    }
    if segment.contains('/') {
        let detail = "has a folder in front of it: a name is the last segment of the address, /upload/new/{name}";
        return Err(ApiError::bad_request("name", detail));
    }
    presentable("name", &percent_decode_str(segment).decode_utf8_lossy()).map(Some)
}

/// The name in the query, or in `Content-Disposition`.
fn name_beside(head: &Head) -> Result<Option<String>, ApiError> {
    match head.query_text("name").filter(|name| !name.is_empty()) {
        Some(name) => presentable("name", &name).map(Some),
        None => Ok(disposition::given_name(head)),
    }
}

fn presentable(field: &str, name: &str) -> Result<String, ApiError> {
    disposition::presentable(name).ok_or_else(|| ApiError::bad_request(field, "has nothing in it that can be shown"))
}

fn nameless() -> ApiError {
    let detail = "is missing: put it at the end of the address (`/upload/new/cat.png`, which curl -T does where the address ends with a \
                  slash and the file has a name), or into `?name=`, or POST to /upload";
    ApiError::bad_request("name", detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use upload_types::{
        integrity::Algorithm,
        operation::{BodyEnd, Create, FirstChunk, Operation},
        units::ByteCount,
    };

    fn head(method: &Method, address: &str, headers: &[(&'static str, &str)]) -> Head {
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let headers = crate::Headers::of(headers.iter().copied());
        Head { method: method.clone(), path: path.to_owned(), query: query.to_owned(), headers }
    }

    fn ask(method: &Method, address: &str, headers: &[(&'static str, &str)]) -> Result<Operation, ApiError> {
        let head = head(method, address, headers);
        assert!(is_spoken(&head), "{address}");
        match parse(&head)? {
            Parsed::Ready(operation) => Ok(*operation),
            Parsed::NeedsBody { .. } | Parsed::Form(_) => panic!("the body is the file"),
        }
    }

    fn sized(headers: &[(&'static str, &str)]) -> Result<(Create, FirstChunk), ApiError> {
        match ask(&Method::POST, "/upload", &[&[("content-length", "5")], headers].concat())? {
            Operation::CreateWith(create, first) => Ok((create, first)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_name_stands_in_the_address_the_query_or_the_disposition() {
        let said = ("content-disposition", "attachment; filename=\"a.txt\"; filename*=UTF-8''%e2%82%ac.txt");
        let cases: [(Method, &str, &[_], &str); 14] = [
            (Method::PUT, "/upload/new/cat.png", &[], "cat.png"),
            (Method::POST, "/upload/new/cat.png", &[], "cat.png"),
            (Method::PUT, "/upload/new/a%20b%2Bc+d.txt", &[], "a b+c+d.txt"),
            (Method::PUT, "/upload/new/%E2%82%AC", &[], "€"),
            (Method::PUT, "/upload/new/%FF.bin", &[], "\u{fffd}.bin"),
            (Method::PUT, "/upload/new/..%2F..%2Fetc%2Fpasswd", &[], "passwd"),
            (Method::PUT, "/upload/new/a%0D%0Ab", &[], "ab"),
            (Method::PUT, "/upload/new/cat.png?name=dog.png", &[said], "cat.png"),
            (Method::PUT, "/upload/new?name=dog.png", &[said], "dog.png"),
            (Method::PUT, "/upload/new", &[said], "€.txt"),
            (Method::POST, "/upload?name=a+b%2Bc.txt", &[], "a b+c.txt"),
            (Method::POST, "/upload?name=", &[said], "€.txt"),
            (Method::POST, "/upload", &[said], "€.txt"),
            (Method::POST, "/upload", &[], "file"),
        ];
        for (method, address, headers, expected) in cases {
            match ask(&method, address, headers) {
                Ok(Operation::CreateWithUnsized(create, BodyEnd::FileEnds, _)) => {
                    assert_eq!(create.file.name, expected, "{address}");
                }
                other => panic!("{address}: {other:?}"),
            }
        }
    }

    #[test]
    fn names_that_are_none_are_refused() {
        for address in
            ["/upload/new", "/upload/new?name=", "/upload/new/a/b", "/upload/new/%00", "/upload/new?name=%2F"]
        {
            match ask(&Method::PUT, address, &[]) {
                Err(ApiError::BadRequest { field, .. }) => assert_eq!(field, "name", "{address}"),
                other => panic!("{address}: {other:?}"),
            }
        }
    }

    #[test]
    fn other_addresses_and_methods_are_somebody_elses() {
        for (method, path) in [
            (Method::GET, "/upload"),
            (Method::PUT, "/upload"),
            (Method::POST, "/upload/init"),
            (Method::PUT, "/upload/newer"),
            (Method::PUT, "/upload/067e6162-3b6f-4ae2-a171-2470b63dff00"),
        ] {
            assert!(!is_spoken(&head(&method, path, &[])), "{method} {path}");
        }
        let refused = ask(&Method::GET, "/upload/new/cat.png", &[]);
        assert!(matches!(refused, Err(ApiError::MethodNotAllowed { .. })), "{refused:?}");
    }

    #[test]
    fn the_type_is_the_files_and_a_form_is_no_file() {
        for (said, expected) in [
            ("image/png", Some("image/png")),
            ("application/x-www-form-urlencoded", None),
            ("Application/X-WWW-Form-Urlencoded; charset=x", None),
        ] {
            assert_eq!(sized(&[("content-type", said)]).unwrap().0.file.content_type.as_deref(), expected, "{said}");
        }
        let form = sized(&[("content-type", "multipart/form-data; boundary=x")]);
        assert!(matches!(form, Err(ApiError::UnsupportedMediaType { .. })), "{form:?}");
        let coded = sized(&[("content-encoding", "gzip")]).unwrap().0;
        assert_eq!(coded.file.metadata["Content-Encoding"], "gzip");
    }

    #[test]
    fn every_digest_is_of_the_whole_file() {
        let (sha, md5) = ("RK/5qy20A5MfnXVlJ6ZkcFdJ0kQ5GXnU2ZzQ1UeGxxs=", "1B2M2Y8AsgTpgAmY7PhCfg==");
        let field = format!("sha-256=:{sha}:");
        let old = format!("SHA-256={sha}, unixsum=30637");
        for said in [("content-digest", field.as_str()), ("repr-digest", &field), ("digest", &old)] {
            let (create, first) = sized(&[said]).unwrap();
            assert!(create.file.sha256.is_some(), "{said:?}");
            assert_eq!(first.digest.map(|digest| digest.algorithm), Some(Algorithm::Sha256), "{said:?}");
            let Ok(Operation::CreateWithUnsized(create, ..)) = ask(&Method::POST, "/upload", &[said]) else { panic!() };
            assert!(create.file.sha256.is_some(), "{said:?}");
        }
        let by_md5 = [("digest", format!("MD5={md5}"))];
        let by_md5 = by_md5.each_ref().map(|(name, value)| (*name, value.as_str()));
        let (create, first) = sized(&by_md5).unwrap();
        assert_eq!((create.file.sha256, first.digest.map(|digest| digest.algorithm)), (None, Some(Algorithm::Md5)));
        assert_eq!(
            ask(&Method::POST, "/upload", &by_md5),
            Err(ApiError::LengthRequired),
            "nothing could count before its end"
        );
        for (wrong, expected) in [
            (("digest", "SHA-256"), "Digest"),
            (("digest", "SHA-256=abc"), "Digest"),
            (("repr-digest", "sha-256=abc"), "Repr-Digest"),
            (("content-length", "many"), "Content-Length"),
        ] {
            match ask(&Method::POST, "/upload", &[wrong]) {
                Err(ApiError::BadRequest { field, .. }) => assert_eq!(field, expected),
                other => panic!("{wrong:?}: {other:?}"),
            }
        }
        let other = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
        let refused = sized(&[("repr-digest", &field), ("content-digest", other)]);
        assert!(matches!(refused, Err(ApiError::BadRequest { .. })), "they contradict each other: {refused:?}");
    }

    #[test]
    fn a_key_stands_for_the_whole_request() {
        let with = |address: &str| {
            let Ok(Operation::CreateWith(create, first)) =
                ask(&Method::PUT, address, &[("content-length", "5"), ("idempotency-key", "k")])
            else {
                panic!("{address}")
            };
            assert_eq!((create.file_bytes, first.length), (Some(ByteCount::from(5)), ByteCount::from(5)));
            create.idempotency.unwrap()
        };
        assert_eq!(with("/upload/new/a"), with("/upload/new/a"));
        assert_ne!(with("/upload/new/a").request, with("/upload/new/b").request);
    }
}
