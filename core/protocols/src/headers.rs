//! A request's headers, as the platform hands them over: it has checked names and values, and has put one that was sent twice together.
//! Names are compared without regard to case (RFC 9110, section 5.1).

/// What stands for a value with control characters: it is there, and is not printable, so it is refused wherever it is read.
const UNPRINTABLE: &str = "\u{fffd}";

/// All of them, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// From names and values.
    pub fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut headers = Self::default();
        for (name, value) in pairs {
            let is_text = !value.chars().any(|c| c.is_ascii_control() && c != '\t');
            headers.0.push((name.to_owned(), if is_text { value } else { UNPRINTABLE }.to_owned()));
        }
        headers
    }

    /// Whether there is one of this name.
    pub fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The first of this name, whatever characters it has.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|pair| pair.0.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All of this name.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let is_it = move |pair: &&(String, String)| pair.0.eq_ignore_ascii_case(name);
        self.0.iter().filter(is_it).map(|(_, value)| value.as_str())
    }

    /// This one in place of all of its name.
    pub fn insert(&mut self, name: &str, value: impl Into<String>) {
        self.0.retain(|pair| !pair.0.eq_ignore_ascii_case(name));
        self.0.push((name.to_owned(), value.into()));
    }

    /// How long names and values are together, in bytes.
    pub fn length_bytes(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.len()).sum()
    }
}

/// A value, where it is printable ASCII (RFC 9110, section 5.5).
pub(crate) fn printable(value: &str) -> Option<&str> {
    value.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte)).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_no_case_and_one_is_put_in_place_of_all() {
        let mut headers = Headers::of([("Upload-Offset", "7"), ("upload-offset", "8"), ("x", "a\u{1}b")]);
        assert_eq!(headers.get_all("UPLOAD-OFFSET").collect::<Vec<_>>(), ["7", "8"]);
        headers.insert("Upload-offset", "9");
        assert_eq!(headers.get_all("upload-offset").collect::<Vec<_>>(), ["9"]);
        assert!(headers.contains_key("X") && headers.get("x").and_then(printable).is_none());
        assert_eq!((printable("a b\t~"), printable("ä"), printable("\u{7f}")), (Some("a b\t~"), None, None));
        assert_eq!(headers.length_bytes(), "x".len() + UNPRINTABLE.len() + "Upload-offset9".len());
    }
}
