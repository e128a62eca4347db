//! Reading, beside what `serde_json` reads.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::*;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Wrapped(Vec<i32>);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Bare,
    Wrapped(u64),
    Pair(u8, String),
    Record { deep: Option<Box<Shape>> },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    One { count: u32 },
    Two,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    unit: Unit,
    flag: bool,
    most: u64,
    least: i64,
    ratio: f64,
    text: String,
    wrapped: Wrapped,
    shapes: Vec<Shape>,
    tagged: Vec<Tagged>,
    map: BTreeMap<String, Option<u16>>,
    pair: (u8, String),
    any: Value,
    absent: Option<String>,
    #[serde(default)]
    defaulted: u32,
}

fn everything() -> Everything {
    Everything {
        unit: Unit,
        flag: true,
        most: u64::MAX,
        least: i64::MIN,
        ratio: 0.5,
        text: "a \"b\"\u{1f600}".to_owned(),
        wrapped: Wrapped(vec![-1, 2]),
        shapes: vec![
            Shape::Bare,
            Shape::Wrapped(7),
            Shape::Pair(1, "x".to_owned()),
            Shape::Record { deep: Some(Box::new(Shape::Bare)) },
        ],
        tagged: vec![Tagged::One { count: 3 }, Tagged::Two],
        map: BTreeMap::from([("a".to_owned(), Some(1)), ("b".to_owned(), None)]),
        pair: (9, "y".to_owned()),
        any: serde_json::json!({ "k": [1, null, "z", -2.5] }),
        absent: None,
        defaulted: 4,
    }
}

#[test]
fn what_was_written_is_read_as_serde_json_reads_it() {
    let written = serde_json::to_string(&everything()).unwrap();
    assert_eq!(from_str::<Everything>(&written).unwrap(), everything());
    assert_eq!(serde_json::from_str::<Everything>(&written).unwrap(), everything());
}

#[test]
fn a_field_may_be_missing_where_it_has_a_default_and_unknown_ones_are_passed_over() {
    let mut written = serde_json::to_value(everything()).unwrap();
    let fields = written.as_object_mut().unwrap();
    fields.remove("absent");
    fields.remove("defaulted");
    fields.insert("unknown".to_owned(), serde_json::json!({ "deep": [1] }));
    assert_eq!(from_value::<Everything>(written.clone()).unwrap(), Everything { defaulted: 0, ..everything() });
    written.as_object_mut().unwrap().remove("most");
    assert!(from_value::<Everything>(written).unwrap_err().to_string().contains("most"));
}

#[test]
fn what_serde_json_refuses_is_refused() {
    for wrong in ["", "{", "7", "\"Nonsense\"", "{\"Wrapped\":-1}", "{\"Wrapped\":1,\"Bare\":null}", "{\"Bare\":1}"] {
        assert!(from_str::<Shape>(wrong).is_err(), "{wrong}");
        assert!(serde_json::from_str::<Shape>(wrong).is_err(), "{wrong}");
    }
    assert!(from_str::<u16>("65536").is_err() && from_str::<u64>("1.5").is_err() && from_str::<bool>("0").is_err());
    assert!(from_str::<Wrapped>("{}").is_err() && from_str::<Unit>("{}").is_err());
    assert!(from_str::<String>("1").is_err() && from_slice::<String>(b"\"\xff\"").is_err());
}
