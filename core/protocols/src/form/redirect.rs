//! Where a browser goes once a form without script has been sent: only to pages that the deployment lists, since whoever links to this
//! service could otherwise lead its users anywhere.

/// No deployment's list is longer.
const MAX_ENTRIES: usize = 64;

/// The longest address.
const MAX_BYTES: usize = 2000;

/// The list, as the setting `FORM_REDIRECTS` spells it: addresses with commas between them. One that ends with a slash also stands for all
/// below it; the first one is where a browser goes that names none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedRedirects(Vec<String>);

impl AllowedRedirects {
    /// Understands the setting.
    pub fn parse(setting: &str) -> Result<Self, &'static str> {
        let entries: Vec<_> =
            setting.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(str::to_owned).collect();
        if entries.len() > MAX_ENTRIES {
            return Err("has more than 64 addresses");
        }
        if !entries.iter().all(|entry| is_entry(entry)) {
            return Err(
                "has an entry that is no address with a path, like https://app.example.com/thanks or https://app.example.com/",
            );
        }
        Ok(Self(entries))
    }

    /// Where a browser goes that names no page.
    pub fn first(&self) -> Option<&str> {
        self.0.first().map(String::as_str)
    }

    /// Whether it may go there.
    pub fn allow(&self, address: &str) -> bool {
        is_address(address) && self.0.iter().any(|entry| is_below(entry, address))
    }
}

/// Scheme, host and path, and nothing that a browser would read as something else.
fn is_entry(entry: &str) -> bool {
    let host_and_path = entry.strip_prefix("https://").or_else(|| entry.strip_prefix("http://"));
    let host = host_and_path.and_then(|rest| rest.split_once('/')).map(|(host, _)| host);
    let is_host = |host: &str| {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte))
    };
    host.is_some_and(is_host) && is_address(entry) && !entry.contains(['?', '#'])
}

/// Whether it is one text to everybody who reads it: without characters that browsers drop or turn, or segments that lead up again.
fn is_address(address: &str) -> bool {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let leads_up =
        path.to_ascii_lowercase().replace("%2e", ".").split('/').any(|segment| matches!(segment, "." | ".."));
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\\\"<>^`{|}".contains(&byte);
    address.len() <= MAX_BYTES && address.bytes().all(is_plain) && !leads_up
}

/// An entry has its host behind it and a slash behind that, so what begins with it is of the same host.
fn is_below(entry: &str, address: &str) -> bool {
    let Some(rest) = address.strip_prefix(entry) else { return false };
    entry.ends_with('/') || rest.is_empty() || rest.starts_with(['?', '#'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_pages_and_those_below_a_slash() {
        let allowed =
            AllowedRedirects::parse("https://app.example.com/thanks, http://127.0.0.1:8080/,https://b.example/x/")
                .unwrap();
        assert_eq!(allowed.first(), Some("https://app.example.com/thanks"));
        for address in [
            "https://app.example.com/thanks",
            "https://app.example.com/thanks?a=b#c",
            "http://127.0.0.1:8080/",
            "http://127.0.0.1:8080/any/page?x=..",
            "https://b.example/x/y",
        ] {
            assert!(allowed.allow(address), "{address}");
        }
        for address in [
            "",
            "/thanks",
            "//evil.example/",
            "https://app.example.com/",
            "https://app.example.com/thanksgiving",
            "https://app.example.com/thanks/../admin",
            "https://app.example.com.evil.example/thanks",
            "https://app.example.com@evil.example/thanks",
            "https://evil.example/?https://app.example.com/thanks",
            "http://127.0.0.1:8080@evil.example/",
            "http://127.0.0.1:80800/",
            "http://127.0.0.1:8080/\\evil.example",
            "http://127.0.0.1:8080/a\r\nSet-Cookie: a=b",
            "https://b.example/x/%2E%2e/y",
            "https://b.example/x/./y",
            "https://b.example/x",
            "HTTPS://APP.EXAMPLE.COM/thanks",
            "javascript:alert(1)",
            " https://app.example.com/thanks",
        ] {
            assert!(!allowed.allow(address), "{address}");
        }
        assert!(!allowed.allow(&format!("http://127.0.0.1:8080/{}", "a".repeat(2000))));
        assert_eq!(
            (AllowedRedirects::default().first(), AllowedRedirects::default().allow("https://a/")),
            (None, false)
        );
    }

    #[test]
    fn a_list_that_would_allow_more_than_it_says_is_refused() {
        assert_eq!(AllowedRedirects::parse(" ,"), Ok(AllowedRedirects::default()));
        let many = vec!["https://a.example/"; 65].join(",");
        for wrong in [
            "*",
            "https://app.example.com",
            "app.example.com/",
            "//app.example.com/",
            "ftp://a.example/",
            "https://*.example.com/",
            "https://a@b.example/",
            "https:///",
            "https://a.example/?x",
            "https://a.example/x/../",
            "https://a.example/ x",
            many.as_str(),
        ] {
            assert!(AllowedRedirects::parse(wrong).is_err(), "{wrong}");
        }
    }
}
