//! Structured dictionaries whose values are byte sequences (RFC 9651, sections 3.2 and 3.3.5), as those of digests are: read without a table of what was
//! read. Parameters change nothing.

use std::convert::Infallible;

use sfv::{
    BareItemFromInput, KeyRef, Parser,
    visitor::{DictionaryVisitor, EntryVisitor, Ignored, InnerListVisitor, ItemVisitor, ParameterVisitor},
};

/// Each key with its value, in their order; no value where it is of another type. Of a key that is there twice the last value counts, in the place
/// of the first. None where it is no dictionary.
pub(crate) fn read(text: &str) -> Option<Pairs<'_>> {
    Parser::new(text).parse_dictionary_with_visitor(Entries(Vec::new())).ok()
}

/// Keys and values.
pub(crate) type Pairs<'a> = Vec<(&'a str, Option<Vec<u8>>)>;

struct Entries<'de>(Pairs<'de>);

struct Entry<'a>(&'a mut Option<Vec<u8>>);

impl<'de> DictionaryVisitor<'de> for Entries<'de> {
    type Out = Pairs<'de>;
    type Error = Infallible;

    fn entry(&mut self, key: &'de KeyRef) -> Result<impl EntryVisitor<'de>, Infallible> {
        let before = self.0.iter().position(|(name, _)| *name == key.as_str());
        let at = before.unwrap_or(self.0.len());
        if before.is_none() {
            self.0.push((key.as_str(), None));
        }
        Ok(self.0.get_mut(at).map(|(_, value)| {
            *value = None;
            Entry(value)
        }))
    }

    fn finish(self) -> Result<Self::Out, Infallible> {
        Ok(self.0)
    }
}

impl<'de> EntryVisitor<'de> for Entry<'_> {
    type Error = Infallible;

    fn item(self) -> Result<impl ItemVisitor<'de>, Infallible> {
        Ok(self)
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'de>, Infallible> {
        Ok(Ignored)
    }
}

impl<'de> ItemVisitor<'de> for Entry<'_> {
    type Out = ();
    type Error = Infallible;

    fn bare_item(self, item: BareItemFromInput<'de>) -> Result<impl ParameterVisitor<'de, Out = ()>, Infallible> {
        if let BareItemFromInput::ByteSequence(bytes) = item {
            *self.0 = Some(bytes);
        }
        Ok(Ignored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_byte_sequence_has_no_value_and_the_last_of_a_key_counts() {
        let bytes = |text: &str| Some(text.as_bytes().to_vec());
        for (text, expected) in [
            ("a=:YQ==:", Some(vec![("a", bytes("a"))])),
            ("a=:YQ==:;level=2, b=:Yg==:", Some(vec![("a", bytes("a")), ("b", bytes("b"))])),
            ("a=1, b, c=\"YQ==\", d=(:YQ==:)", Some(vec![("a", None), ("b", None), ("c", None), ("d", None)])),
            ("a=:YQ==:, b=:Yg==:, a=:Yw==:", Some(vec![("a", bytes("c")), ("b", bytes("b"))])),
            ("a=:YQ==:, a=1", Some(vec![("a", None)])),
            ("", Some(vec![])),
            ("a=:YQ==", None),
            ("A=:YQ==:", None),
            ("a=:YQ==:,", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
