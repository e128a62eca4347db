//! A request's headers, as the platform hands them over: it has checked them, and has put one that was sent twice together.
//! A list, since there are a few dozen at most; `http::HeaderMap` with its table of known names would be 9 kB of gzipped wasm.

/// Headers, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// Adds one, beside others of its name.
    pub fn append(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }

    /// Puts one in the place of all others of its name.
    pub fn insert(&mut self, name: &str, value: &str) {
        self.0.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.append(name, value);
    }

    /// The values of this name, in whatever case it is written.
    pub fn get_all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The first value of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_all(name).next()
    }

    /// Whether there is one of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// All names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl FromIterator<(String, String)> for Headers {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(headers: T) -> Self {
        Self(headers.into_iter().collect())
    }
}

impl From<&[(&str, &str)]> for Headers {
    fn from(headers: &[(&str, &str)]) -> Self {
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }
}

/// Whether this is printable ASCII, maybe with tabs: what may stand in a header without being encoded (RFC 9110, section 5.5).
pub(super) fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_whatever_case_and_values_stay_in_order() {
        let mut headers = Headers::from(&[("accept", "a"), ("x-twice", "1"), ("X-Twice", "2")][..]);
        assert_eq!(headers.get_all("x-twice").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(headers.get("Accept"), Some("a"));
        headers.insert("X-TWICE", "3");
        assert_eq!(headers.get_all("x-twice").collect::<Vec<_>>(), ["3"]);
        assert!(!headers.contains("acce"));
        assert_eq!(headers.iter().count(), 2);
    }

    #[test]
    fn what_is_printable() {
        for (text, expected) in [("", true), ("a b\t~", true), ("é", false), ("a\nb", false), ("\u{7f}", false)] {
            assert_eq!(is_printable(text), expected, "{text:?}");
        }
    }
}
