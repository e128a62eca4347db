//! `Upload-Concat`: a partial upload, or one that is put together from partial uploads.

use crate::{
    FILES_PATH, Head,
    address::{self, BasePath},
};
use upload_types::{api_error::ApiError, units::UploadId, upload::Purpose};

const FIELD: &str = "Upload-Concat";

/// The most uploads that one can be put together from. Each is asked with every batch that is copied, so a batch costs
/// two calls of an object more than that, of the 1,000 that a Worker on the free plan may make.
const MAX_PARTIALS: usize = 100;

/// What the header says that the new upload is for.
pub(super) fn purpose(head: &Head) -> Result<Purpose, ApiError> {
    let Some(given) = given(head) else { return Ok(Purpose::File) };
    if given == "partial" {
        return Ok(Purpose::Partial);
    }
    let Some(list) = given.strip_prefix("final;") else { return Err(bad("is neither partial nor final; and a list")) };
    let partials = list.split_ascii_whitespace().map(partial).collect::<Result<Vec<_>, _>>()?;
    match partials.len() {
        0 => Err(bad("names no upload")),
        1..=MAX_PARTIALS => Ok(Purpose::Composition(partials)),
        count => Err(bad(format!("names {count} uploads; at most {MAX_PARTIALS} can be put together"))),
    }
}

/// The header as it came.
pub(super) fn given(head: &Head) -> Option<&str> {
    head.present("upload-concat")
}

/// Whether what was given is the list of an upload that is put together.
pub(super) fn is_final(given: &str) -> bool {
    given.starts_with("final;")
}

/// The upload that a URL names, absolute or relative to where uploads are created. Only the end of its path counts: by which host
/// the upload was reached, and below which path the service is mounted there, is no part of its name.
fn partial(url: &str) -> Result<UploadId, ApiError> {
    let authority_and_path = ["https://", "http://", "//"].iter().find_map(|scheme| url.strip_prefix(scheme));
    let path = match authority_and_path {
        Some(rest) => rest.find('/').map_or("", |at| &rest[at..]),
        None => url,
    };
    let path = address::normalized(path);
    let named = path.rsplit_once('/').and_then(|(parent, id)| Some((parent.strip_suffix(FILES_PATH)?, id)));
    let id = named.filter(|(before, _)| may_be_mounted_at(before)).and_then(|(_, id)| UploadId::parse(id));
    id.ok_or_else(|| bad(format!("names {url:?}, which is no upload here")))
}

/// Two URLs that were joined by anything but a space are not one.
fn may_be_mounted_at(path: &str) -> bool {
    BasePath::parse(path).is_ok() && !path.split('/').any(|segment| UploadId::parse(segment).is_some())
}

fn bad(detail: impl Into<String>) -> ApiError {
    ApiError::bad_request(FIELD, detail)
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::tus::given_back::MAX_FIELD_BYTES;

    const A: &str = "067e6162-3b6f-4ae2-a171-2470b63dff00";
    const B: &str = "167e6162-3b6f-4ae2-a171-2470b63dff00";

    fn parsed(header: &str) -> Result<Purpose, ApiError> {
        let headers = crate::Headers::of([("upload-concat", header)]);
        purpose(&Head { method: Method::POST, path: "/files".to_owned(), query: String::new(), headers })
    }

    fn partials(ids: &[&str]) -> Purpose {
        Purpose::Composition(ids.iter().map(|id| UploadId::parse(id).unwrap()).collect())
    }

    #[test]
    fn partials_by_path_and_by_url() {
        assert_eq!(parsed("partial"), Ok(Purpose::Partial));
        for (header, expected) in [
            (format!("final;/files/{A} /files/{B}"), vec![A, B]),
            (format!("final; /files/{B}  /files/{A}"), vec![B, A]),
            (format!("final;https://upload.example.com/files/{A} http://127.0.0.1:8787/files/{B}"), vec![A, B]),
            (format!("final;/files/{A} /files/{A}"), vec![A, A]),
            (format!("final;/api/files/{A} https://a.example/api/files/{B}"), vec![A, B]),
            (format!("final;files/{A} //a.example/files/{B}"), vec![A, B]),
            (format!("final;/files/{A}/ https://a.example//files//{B}"), vec![A, B]),
            (format!("final;/%66iles/{} /files/../files/{B}", A.replace('-', "%2D")), vec![A, B]),
        ] {
            assert_eq!(parsed(&header), Ok(partials(&expected)), "{header}");
        }
    }

    #[test]
    fn a_hundred_uploads_and_no_more() {
        let list = |count: usize, url: String| format!("final;{}", vec![url; count].join(" "));
        let by_url = list(100, format!("https://upload.example.com/files/{A}"));
        assert!(by_url.len() < MAX_FIELD_BYTES && parsed(&by_url).is_ok());
        assert!(parsed(&list(100, format!("/files/{A}"))).is_ok());
        assert!(parsed(&list(101, format!("/files/{A}"))).is_err());
    }

    #[test]
    fn what_is_malformed() {
        for header in [
            String::new(),
            "Partial".to_owned(),
            "partial;".to_owned(),
            "final".to_owned(),
            "final;".to_owned(),
            "final; ".to_owned(),
            format!("final:/files/{A}"),
            format!("final;{A}"),
            format!("final;/files/{A},/files/{B}"),
            format!("final;/files/{}", A.to_uppercase()),
            format!("final;/files/{A}?x=1"),
            format!("final;/files/{A}/files/{B}"),
            format!("final;/files/{A}/x"),
            format!("final;/files%2F{A}"),
            format!("final;/upload/{A}"),
            format!("final;ftp://a/files/{A}"),
            "final;https://upload.example.com".to_owned(),
            format!("final;//files/{A}"),
            "final;/files/ü".to_owned(),
        ] {
            match parsed(&header) {
                Err(ApiError::BadRequest { field, .. }) => assert_eq!(field, FIELD, "{header}"),
                other => panic!("{header:?}: {other:?}"),
            }
        }
    }
}
