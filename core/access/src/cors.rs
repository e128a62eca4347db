//! Which web origins may call from a browser, and with which request headers
//! (<https://fetch.spec.whatwg.org/#http-cors-protocol>).
//!
//! A list of exact origins and of wildcards for subdomains. What is not listed is not answered with anything: no origin is
//! ever reflected because it looks like one that is. `null` is never listed: every sandboxed frame on the web has it.

/// What every protocol here reads, and what browsers' libraries add by themselves. The draft's own `Incremental` (RFC 10036) asks
/// proxies not to hold a body back, and is not read.
const OUR_HEADERS: &str = "Authorization, Cache-Control, Content-Type, Content-Range, Content-Digest, Content-Disposition, Content-Encoding, \
     Digest, Idempotency-Key, If-Match, If-Modified-Since, If-None-Match, If-Range, If-Unmodified-Since, Incremental, Last-Event-ID, Range, \
     Repr-Digest, Want-Repr-Digest, Tus-Resumable, Upload-Checksum, Upload-Complete, Upload-Concat, Upload-Defer-Length, \
     Upload-Draft-Interop-Version, Upload-Incomplete, Upload-Length, Upload-Metadata, Upload-Name, Upload-Offset, X-Chunk-Checksum, \
     X-HTTP-Method-Override, X-Request-ID, X-Requested-With, X-Upload-Content-Length, X-Upload-Content-Type, X-Upload-Offset";

/// No deployment's own list is longer.
const MAX_MORE_HEADERS: usize = 64;

/// Which request headers a page may send: [`OUR_HEADERS`], and those that the application's own libraries add.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedHeaders(Vec<String>);

impl AllowedHeaders {
    /// Understands the setting: names with commas between them.
    pub fn parse(setting: &str) -> Result<Self, &'static str> {
        let names = setting.split(',').map(str::trim).filter(|name| !name.is_empty());
        let more: Vec<_> = names.map(str::to_owned).collect();
        // `*` is a name to browsers wherever credentials are sent.
        if more.iter().any(|name| name == "*" || !name.bytes().all(is_token_byte)) {
            return Err("has an entry that is no name of a header, like traceparent");
        }
        if more.len() > MAX_MORE_HEADERS {
            return Err("has more than 64 names");
        }
        Ok(Self(more))
    }

    /// The value of `Access-Control-Allow-Headers`.
    pub fn shown(&self) -> String {
        std::iter::once(OUR_HEADERS).chain(self.0.iter().map(String::as_str)).collect::<Vec<_>>().join(", ")
    }
}

/// What a header's name is made of (RFC 9110, section 5.6.2).
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// What the deployment allows browsers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors {
    /// Pages of these origins may call,
    pub origins: AllowedOrigins,
    /// and send these headers.
    pub headers: AllowedHeaders,
}

/// The list, as a setting spells it: `*`, or entries with commas between them, each `https://app.example.com`,
/// `http://localhost:5173` or `https://*.example.com`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedOrigins {
    anybody: bool,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Exact(String),
    /// Any subdomain, however deep, and not the domain itself.
    Subdomains {
        /// `https://`
        scheme: String,
        /// `.example.com`, or `.example.com:8443`
        suffix: String,
    },
}

/// What an answer says to a browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed<'a> {
    /// Anybody may read it; a browser sends no cookies along.
    Anybody,
    /// This origin may, with credentials.
    Origin(&'a str),
}

impl AllowedOrigins {
    /// Understands the setting. Empty: only pages of the deployment's own host may call.
    pub fn parse(setting: &str) -> Result<Self, &'static str> {
        let mut allowed = Self::default();
        for entry in setting.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            if entry == "*" {
                allowed.anybody = true;
                continue;
            }
            allowed
                .entries
                .push(Entry::parse(entry).ok_or("has an entry that is no origin like https://app.example.com")?);
        }
        if allowed.anybody && !allowed.entries.is_empty() {
            return Err("has `*` beside other entries");
        }
        Ok(allowed)
    }

    /// Whether a page of this origin may call.
    pub fn allow<'a>(&self, origin: &'a str) -> Option<Allowed<'a>> {
        if self.anybody {
            return Some(Allowed::Anybody);
        }
        self.entries.iter().any(|entry| entry.is(origin)).then_some(Allowed::Origin(origin))
    }

    /// Whether a request may count as its user's whose login the browser adds by itself, whichever page has it send the request: only where
    /// no page that is neither ours nor listed can have done that. `origin` and `fetch_site` are the headers `Origin` and `Sec-Fetch-Site`
    /// (<https://w3c.github.io/webappsec-fetch-metadata/>), which no page can forge; `own` are the origins under which we are reached.
    /// `*` lists nobody: it is for requests without a login.
    pub fn trust_login(&self, origin: Option<&str>, fetch_site: Option<&str>, own: &[&str]) -> bool {
        match (origin, fetch_site) {
            // Our own page; or no browser, or one from before 2023.
            (_, Some("same-origin")) | (None, None) => true,
            (Some(origin), _) => own.contains(&origin) || matches!(self.allow(origin), Some(Allowed::Origin(_))),
            // A GET has no `Origin` where its answer cannot be read; what it does it would do all the same. `none`: a person has typed
            // the address.
            (None, Some(site)) => site == "none",
        }
    }
}

impl Entry {
    fn parse(entry: &str) -> Option<Self> {
        let (scheme, host) = entry.split_once("://")?;
        if !matches!(scheme, "https" | "http") || entry != entry.to_ascii_lowercase() {
            return None;
        }
        match host.strip_prefix("*.") {
            // `*.com` would be everybody who pays for a name.
            Some(domain) if is_host(domain) && domain.contains('.') => {
                Some(Self::Subdomains { scheme: format!("{scheme}://"), suffix: format!(".{domain}") })
            }
            None if is_host(host) => Some(Self::Exact(entry.to_owned())),
            _ => None,
        }
    }

    /// Browsers write an origin in one way (RFC 6454, section 6.1), so text is compared with text.
    fn is(&self, origin: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == origin,
            Self::Subdomains { scheme, suffix } => {
                let labels = origin.strip_prefix(scheme.as_str()).and_then(|host| host.strip_suffix(suffix.as_str()));
                labels.is_some_and(|labels| labels.split('.').all(is_label))
            }
        }
    }
}

/// `example.com`, `localhost:5173`, `[::1]:8080`.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|number| number.to_string() == port);
    let is_ip6 = |host: &str| {
        let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        inner.is_some_and(|ip| ip.parse::<core::net::Ipv6Addr>().is_ok())
    };
    port.is_none_or(is_port) && (is_ip6(host) || host.split('.').all(is_label))
}

/// RFC 1123, section 2.1, and the underscores that are in use.
fn is_label(label: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    !label.is_empty() && label.len() <= 63 && label.bytes().all(is_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(setting: &str, origin: &str) -> bool {
        AllowedOrigins::parse(setting).unwrap().allow(origin).is_some()
    }

    #[test]
    fn a_login_that_the_browser_adds_counts_for_our_own_pages_and_for_listed_ones() {
        let own = ["https://upload.example.com"];
        for (setting, origin, site, is_trusted) in [
            ("", Some("https://upload.example.com"), Some("same-origin"), true),
            ("", Some("https://upload.example.com.evil"), Some("cross-site"), false),
            ("", Some("null"), Some("cross-site"), false),
            ("", Some("null"), Some("same-origin"), true),
            ("https://app.example.com", Some("https://app.example.com"), Some("same-site"), true),
            ("https://app.example.com", Some("https://blog.example.com"), Some("same-site"), false),
            ("https://*.example.com", Some("https://blog.example.com"), None, true),
            ("*", Some("https://app.example.com"), Some("same-site"), false),
            ("*", Some("https://upload.example.com"), Some("same-origin"), true),
            ("", None, Some("same-origin"), true),
            ("", None, Some("none"), true),
            ("https://app.example.com", None, Some("same-site"), false),
            ("", None, Some("cross-site"), false),
            ("", None, None, true),
        ] {
            let origins = AllowedOrigins::parse(setting).unwrap();
            assert_eq!(origins.trust_login(origin, site, &own), is_trusted, "{setting} {origin:?} {site:?}");
        }
    }

    #[test]
    fn exact_origins_and_nothing_near_them() {
        let list = "https://app.example.com, http://localhost:5173";
        for origin in ["https://app.example.com", "http://localhost:5173"] {
            assert_eq!(AllowedOrigins::parse(list).unwrap().allow(origin), Some(Allowed::Origin(origin)));
        }
        for near in [
            "",
            "null",
            "http://app.example.com",
            "https://app.example.com.evil.test",
            "https://evil.test/https://app.example.com",
            "https://app.example.com:8443",
            "https://app.example.com:443",
            "https://app.example.com/",
            "https://app.example.com.",
            "https://APP.example.com",
            "https://xapp.example.com",
            "https://sub.app.example.com",
            "https://app-example.com",
            "https://app.example.co",
            "https://user@app.example.com",
            "https://app.example.com https://evil.test",
            "http://localhost:51730",
            "http://localhost",
            "https://*.example.com",
        ] {
            assert!(!allows(list, near), "{near}");
        }
    }

    #[test]
    fn subdomains_and_nothing_near_them() {
        let list = "https://*.example.com";
        for origin in ["https://a.example.com", "https://a.b.example.com", "https://xn--bcher-kva.example.com"] {
            assert!(allows(list, origin), "{origin}");
        }
        for near in [
            "https://example.com",
            "https://.example.com",
            "https://a..example.com",
            "http://a.example.com",
            "https://aexample.com",
            "https://a.example.com.evil.test",
            "https://a.example.com:8443",
            "https://evil.test#.example.com",
            "https://evil.test/.example.com",
            "https://evil.test:1@a.example.com",
            "https://evil.test\\.example.com",
            "https://evil.test?.example.com",
            "https://*.example.com",
            "null",
        ] {
            assert!(!allows(list, near), "{near}");
        }
        assert!(allows("https://*.example.com:8443", "https://a.example.com:8443"));
    }

    #[test]
    fn an_application_adds_headers_to_ours() {
        let listed = |setting: &str| {
            let shown = AllowedHeaders::parse(setting).unwrap().shown();
            shown.split(", ").map(str::to_owned).collect::<Vec<_>>()
        };
        let ours = listed("");
        for name in ["Incremental", "Authorization", "Cache-Control", "Upload-Offset", "If-Range", "X-Upload-Offset"] {
            assert!(ours.iter().any(|listed| listed == name), "{name}");
        }
        let more = listed(" traceparent,baggage , X-CSRF-Token,,");
        assert_eq!(more, [&ours[..], &["traceparent".into(), "baggage".into(), "X-CSRF-Token".into()]].concat());
        for wrong in ["*", "a, *", "a b", "a:b", "a\r\nb", "ä", "a/b", "(a)"] {
            assert!(AllowedHeaders::parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(AllowedHeaders::parse(&"a,".repeat(65)).is_err());
    }

    #[test]
    fn anybody_is_said_alone_and_gets_no_credentials() {
        assert_eq!(AllowedOrigins::parse("*").unwrap().allow("https://any.test"), Some(Allowed::Anybody));
        assert!(AllowedOrigins::parse("*, https://app.example.com").is_err());
        assert!(!allows("", "https://any.test"));
    }

    #[test]
    fn what_is_no_origin_is_said_at_once() {
        for wrong in [
            "app.example.com",
            "https://",
            "https://app.example.com/",
            "https://App.example.com",
            "ftp://app.example.com",
            "https://*",
            "https://*.com",
            "https://a.*.com",
            "https://*.*.com",
            "https://a b.com",
            "https://a.com:port",
            "https://a.com:080",
            "null",
        ] {
            assert!(AllowedOrigins::parse(wrong).is_err(), "{wrong}");
        }
        for right in ["http://[::1]:8080", "http://127.0.0.1:5173", "https://a.com,,"] {
            assert!(AllowedOrigins::parse(right).is_ok(), "{right}");
        }
    }
}
