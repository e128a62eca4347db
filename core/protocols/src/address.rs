//! Where the service is in URLs: the prefix below which all its routes are, and the one spelling of a path.
//!
//! Two paths that RFC 3986 (section 6.2.2) calls the same are the same here, and so are paths that differ in empty segments:
//! proxies and clients join addresses with a slash too many, and encode characters that need not be encoded.

/// The prefix, as the setting `BASE_PATH` says it: empty, or with a slash at its beginning and none at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BasePath(String);

impl BasePath {
    /// Understands the setting, with and without slashes at its ends.
    pub fn parse(setting: &str) -> Result<Self, &'static str> {
        if !setting.bytes().all(|byte| byte == b'/' || is_unreserved(byte)) {
            return Err("is not a path like /api/files, of letters, digits and `-._~`");
        }
        let path = normalized(setting);
        Ok(Self(if path == "/" { String::new() } else { path }))
    }

    /// What addresses begin with under this scheme and host.
    pub fn below(&self, scheme_and_host: &str) -> String {
        format!("{scheme_and_host}{}", self.0)
    }

    /// The route that a request's path names; none where it lies outside.
    pub fn route(&self, path: &str) -> Option<String> {
        let path = normalized(path);
        let rest = path.strip_prefix(&self.0)?;
        match rest.bytes().next() {
            None => Some("/".to_owned()),
            Some(b'/') => Some(rest.to_owned()),
            Some(_) => None,
        }
    }
}

/// Scheme and host under which the service is reached, as the setting `PUBLIC_URL` says it; none where it is empty.
pub fn public_url(setting: &str) -> Result<Option<String>, &'static str> {
    let url = setting.trim_end_matches('/');
    if url.is_empty() {
        return Ok(None);
    }
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or_default();
    let is_host =
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte));
    if !is_host {
        return Err("is not a scheme and a host like https://upload.example.com; a path goes into BASE_PATH");
    }
    Ok(Some(url.to_owned()))
}

/// What a problem's `type` begins with, as the setting `PROBLEMS_URL` says it; none where it is empty. The code is put behind it as it is.
pub fn problems_url(setting: &str) -> Result<Option<String>, &'static str> {
    if setting.is_empty() {
        return Ok(None);
    }
    let is_web =
        ["https://", "http://"].iter().any(|scheme| setting.strip_prefix(scheme).is_some_and(|rest| rest.len() > 1));
    let is_url = setting.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte));
    if !is_web || !is_url || !setting.ends_with(['/', '#', '=']) {
        return Err(
            "is not an address like https://docs.example.com/problems/ or https://docs.example.com/errors#, which ends where a code begins",
        );
    }
    Ok(Some(setting.to_owned()))
}

/// A path in the spelling that its equivalents share: characters that need no encoding are not encoded, dot segments are
/// resolved, and no segment is empty. Begins with a slash.
pub fn normalized(path: &str) -> String {
    let mut segments: Vec<String> = Vec::new();
    for segment in path.split('/').map(decoded) {
        match segment.as_str() {
            "" | "." => {}
            ".." => drop(segments.pop()),
            _ => segments.push(segment),
        }
    }
    format!("/{}", segments.join("/"))
}

/// Unreserved characters decoded (RFC 3986, section 6.2.2.2). All other encodings mean something else than what they encode.
fn decoded(segment: &str) -> String {
    let mut decoded = String::with_capacity(segment.len());
    let mut rest = segment;
    while let Some(at) = rest.find('%') {
        let (before, encoded) = rest.split_at(at);
        decoded.push_str(before);
        let byte = encoded.get(1..3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let Some(byte) = byte.filter(|byte| is_unreserved(*byte)) {
            decoded.push(byte.into());
            rest = &encoded[3..];
        } else {
            decoded.push('%');
            rest = &encoded[1..];
        }
    }
    decoded.push_str(rest);
    decoded
}

/// RFC 3986, section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equivalent_paths_are_spelled_alike() {
        for (path, expected) in [
            ("", "/"),
            ("/", "/"),
            ("//", "/"),
            ("/files", "/files"),
            ("/files/", "/files"),
            ("//files///a//", "/files/a"),
            ("/%66iles/%41%2D%2d%2E%5f%7E9", "/files/A--._~9"),
            ("/files/./a/../b", "/files/b"),
            ("/files/%2e%2E/upload", "/upload"),
            ("/../../files", "/files"),
            ("/a%2Fb", "/a%2Fb"),
            ("/a%2fb%00%C3%A9%20", "/a%2fb%00%C3%A9%20"),
            ("/%25%34%31", "/%2541"),
            ("/100%", "/100%"),
            ("/%4", "/%4"),
            ("/%zz%+1", "/%zz%+1"),
            ("/ü%é", "/ü%é"),
        ] {
            assert_eq!(normalized(path), expected, "{path:?}");
        }
    }

    #[test]
    fn a_base_path_is_taken_off_and_what_lies_outside_has_no_route() {
        for setting in ["api/files", "/api/files", "/api/files/", "//api//files//"] {
            let base = BasePath::parse(setting).unwrap();
            assert_eq!(base.below("https://a.example"), "https://a.example/api/files", "{setting:?}");
            for (path, expected) in [
                ("/api/files", Some("/")),
                ("/api/files/", Some("/")),
                ("/api/files/upload/init", Some("/upload/init")),
                ("//api/%66iles//files/", Some("/files")),
                ("/api/filesystem", None),
                ("/api", None),
                ("/files", None),
                ("/upload/init", None),
                ("/api/files/../upload/init", None),
            ] {
                assert_eq!(base.route(path).as_deref(), expected, "{setting:?}: {path:?}");
            }
        }
        for setting in ["", "/", "//"] {
            let base = BasePath::parse(setting).unwrap();
            assert_eq!(base.below("https://a.example"), "https://a.example", "{setting:?}");
            assert_eq!(base.route("/files/").as_deref(), Some("/files"), "{setting:?}");
        }
        for wrong in ["api files", "/api?x", "/a%20b", "https://a.example", "/ä"] {
            assert!(BasePath::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_problems_url_ends_where_a_code_begins() {
        for setting in ["https://a.example/problems/", "https://a.example/errors#", "http://127.0.0.1/errors?code="] {
            assert_eq!(problems_url(setting), Ok(Some(setting.to_owned())));
        }
        assert_eq!(problems_url(""), Ok(None));
        for wrong in
            ["https://a.example/problems", "a.example/", "https:///", "ftp://a/", "https://a b/", "https://a/\"/"]
        {
            assert!(problems_url(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_public_url_is_a_scheme_and_a_host() {
        for (setting, expected) in [
            ("", None),
            ("https://upload.example.com", Some("https://upload.example.com")),
            ("https://upload.example.com/", Some("https://upload.example.com")),
            ("http://127.0.0.1:8787", Some("http://127.0.0.1:8787")),
            ("http://[::1]:8787", Some("http://[::1]:8787")),
        ] {
            assert_eq!(public_url(setting), Ok(expected.map(str::to_owned)), "{setting:?}");
        }
        for wrong in
            ["upload.example.com", "https://", "ftp://a", "https://a/b", "https://a?b", "https://u@a", "https://a b"]
        {
            assert!(public_url(wrong).is_err(), "{wrong:?}");
        }
    }
}
