//! A struct is an object, and nothing else. What serde derives for a struct also takes an array of its members' values
//! (<https://serde.rs/impl-deserialize.html>), so that `[1, 2]` would be read as an offset and a length by whoever meant two offsets.
//!
//! The readers here stand between `serde_json`'s and what serde derives. They hand on everything as it is, but ask for a map where a struct
//! is wanted, at whatever depth. What is behind a `tag` is not looked into.

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor};

/// A reader that asks for maps.
pub(super) struct ByName<D>(pub(super) D);

/// A visitor, or a seed, that is given such readers.
struct Reads<V>(V);

/// What stands inside an array, an object or an enum, read by such readers.
struct Inside<A>(A);

macro_rules! handed_on {
    ($($ask:ident)*) => {
        $(fn $ask<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.0.$ask(Reads(visitor))
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for ByName<D> {
    type Error = D::Error;

    handed_on! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16 deserialize_u32
        deserialize_u64 deserialize_f32 deserialize_f64 deserialize_char deserialize_str deserialize_string deserialize_bytes
        deserialize_byte_buf deserialize_option deserialize_unit deserialize_seq deserialize_map deserialize_identifier
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_ignored_any(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(Reads(visitor))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_unit_struct(name, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_newtype_struct(name, Reads(visitor))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, members: usize, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_tuple(members, Reads(visitor))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        members: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_tuple_struct(name, members, Reads(visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_enum(name, variants, Reads(visitor))
    }
}

macro_rules! taken_on {
    ($($visit:ident $value:ty),*) => {
        $(fn $visit<E: Error>(self, value: $value) -> Result<V::Value, E> {
            self.0.$visit(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Reads<V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.expecting(formatter)
    }

    taken_on! {
        visit_bool bool, visit_i64 i64, visit_u64 u64, visit_f64 f64, visit_char char, visit_str &str, visit_borrowed_str &'de str,
        visit_string String, visit_bytes &[u8], visit_borrowed_bytes &'de [u8], visit_byte_buf Vec<u8>
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, reader: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(ByName(reader))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, reader: D) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(ByName(reader))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Inside(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Inside(members))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, variant: A) -> Result<V::Value, A::Error> {
        self.0.visit_enum(Inside(variant))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Reads<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(ByName(reader))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Inside<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(Reads(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Inside<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_key_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(Reads(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: EnumAccess<'de>> EnumAccess<'de> for Inside<A> {
    type Error = A::Error;
    type Variant = Inside<A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error> {
        let (name, content) = self.0.variant_seed(seed)?;
        Ok((name, Inside(content)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Inside<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.0.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.0.newtype_variant_seed(Reads(seed))
    }

    fn tuple_variant<V: Visitor<'de>>(self, members: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.0.tuple_variant(members, Reads(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.0.newtype_variant_seed(MembersOf(visitor))
    }
}

/// The members of a variant, which is an object.
struct MembersOf<V>(V);

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for MembersOf<V> {
    type Value = V::Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<V::Value, D::Error> {
        reader.deserialize_map(Reads(self.0))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use crate::json::from_str;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Range {
        offset: u32,
        length: u32,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Named(Option<Range>);

    #[derive(Debug, PartialEq, Deserialize)]
    enum Kind {
        Empty,
        One(Range),
        Two(u8, Range),
        Members { range: Range },
    }

    const RANGE: Range = Range { offset: 1, length: 2 };

    #[test]
    fn an_array_is_no_object() {
        assert_eq!(from_str::<Range>(r#"{"length": 2, "offset": 1}"#).unwrap(), RANGE);
        for wrong in ["[1, 2]", r#"{"offset": 1}"#, "1", "null", "[]", r#"{"length": 2, "offset": 1} 3"#] {
            assert!(from_str::<Range>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn nor_is_it_one_inside_something_else() {
        for (range, is_one) in [(r#"{"offset":1,"length":2}"#, true), ("[1,2]", false)] {
            let inside = |shape: &str| shape.replace('?', range);
            let read = from_str::<Vec<Range>>(&inside("[?]"));
            assert_eq!(read.is_ok_and(|read| read == [RANGE]), is_one);
            let read = from_str::<Named>(range);
            assert_eq!(read.is_ok_and(|read| read == Named(Some(RANGE))), is_one);
            let read = from_str::<(u8, Range)>(&inside("[3,?]"));
            assert_eq!(read.is_ok_and(|read| read == (3, RANGE)), is_one);
            let kinds = [
                (r#"{"One":?}"#, Kind::One(RANGE)),
                (r#"{"Two":[3,?]}"#, Kind::Two(3, RANGE)),
                (r#"{"Members":{"range":?}}"#, Kind::Members { range: RANGE }),
            ];
            for (shape, kind) in kinds {
                assert_eq!(from_str::<Kind>(&inside(shape)).is_ok_and(|read| read == kind), is_one, "{shape}");
            }
        }
        assert!(from_str::<Kind>(r#"{"Members":[{"offset":1,"length":2}]}"#).is_err());
    }

    #[test]
    fn all_else_is_read_as_it_was() {
        assert_eq!(from_str::<Kind>("\"Empty\"").unwrap(), Kind::Empty);
        assert_eq!(from_str::<Named>("null").unwrap(), Named(None));
        let value = from_str::<serde_json::Value>(r#"{"a":[1,-2,0.5,"b",true,null]}"#).unwrap();
        assert_eq!(value.to_string(), r#"{"a":[1,-2,0.5,"b",true,null]}"#);
        let complaint = from_str::<Range>(r#"{"offset":1}"#).unwrap_err();
        assert_eq!(complaint.to_string(), "missing field `length` at line 1 column 12");
        assert!(from_str::<Range>(r#"{"offset":1"#).unwrap_err().is_eof());
    }
}
