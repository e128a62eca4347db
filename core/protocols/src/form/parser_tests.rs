use super::*;
use crate::form::tests::{PartOfForm, boundary, form};

/// What is told of a body that comes in pieces of this size: bytes of one file are put together.
fn told(body: &[u8], piece_bytes: usize) -> Result<Vec<Event>, ApiError> {
    let mut parser = Parser::new(&boundary("b"));
    let mut events: Vec<Event> = Vec::new();
    for piece in body.chunks(piece_bytes) {
        parser.push(piece, |event| {
            let more = match event {
                Event::Content(range) => piece[range].to_vec(),
                Event::Kept(bytes) => bytes,
                // Where it begins has a test of its own.
                Event::File(file, _) => return events.push(Event::File(file, 0)),
                other => return events.push(other),
            };
            match events.last_mut() {
                Some(Event::Kept(bytes)) => bytes.extend(more),
                _ => events.push(Event::Kept(more)),
            }
        })?;
    }
    parser.finish().map(|()| events)
}

fn field(name: &str, value: &str) -> Event {
    Event::Field(name.to_owned(), value.to_owned())
}

fn file(field: &str, name: &str, bytes: &[u8]) -> Vec<Event> {
    let head = FileHead { field: field.to_owned(), name: name.to_owned(), is_named: true, content_type: None };
    let content = (!bytes.is_empty()).then(|| Event::Kept(bytes.to_vec()));
    [Event::File(head, 0)].into_iter().chain(content).chain([Event::FileEnds]).collect()
}

#[test]
fn fields_and_files_in_any_order_however_the_body_is_cut() {
    let looks_alike = b"\r\n--\r\n--c\r\n--b-\r\n--bb\r\r\n-\r\n--";
    let body = form(
        "b",
        &[
            PartOfForm::Field("a", "1"),
            PartOfForm::File("f", "x", looks_alike),
            PartOfForm::Field("a", ""),
            PartOfForm::File("g", "y", b""),
            PartOfForm::File("f", "z", b"\r\n"),
            PartOfForm::Field("z", "\r\n--"),
        ],
    );
    let mut expected = vec![field("a", "1")];
    expected.extend(file("f", "x", looks_alike));
    expected.push(field("a", ""));
    expected.extend(file("g", "y", b""));
    expected.extend(file("f", "z", b"\r\n"));
    expected.extend([field("z", "\r\n--"), Event::FormEnds]);
    for piece_bytes in 1..=body.len() {
        assert_eq!(told(&body, piece_bytes).as_ref(), Ok(&expected), "in pieces of {piece_bytes}");
    }
}

#[test]
fn a_file_begins_behind_its_head_whatever_it_begins_with() {
    for content in ["-", "--", "--b", "--b-", "\r", "\r\n", "\r\n--", "x"] {
        let body = form("b", &[PartOfForm::Field("a", "1"), PartOfForm::File("f", "x", content.as_bytes())]);
        let expected = body.len() - format!("{content}\r\n--b--\r\n").len();
        for piece_bytes in 1..=body.len() {
            let (mut parser, mut begins) = (Parser::new(&boundary("b")), Vec::new());
            for piece in body.chunks(piece_bytes) {
                let tell = |event| {
                    if let Event::File(_, begins_at) = event {
                        begins.push(begins_at);
                    }
                };
                parser.push(piece, tell).unwrap();
            }
            assert_eq!(begins, [expected as u64], "{content:?} in pieces of {piece_bytes}");
        }
    }
}

#[test]
fn what_stands_around_the_parts_means_nothing() {
    let inner = form("b", &[PartOfForm::Field("a", "1")]);
    for (before, behind) in [("", "\r\n--b\r\nnonsense"), ("\r\n", ""), ("This is a form.\r\n", "\r\nThe end.")] {
        let body = [before.as_bytes(), &inner, behind.as_bytes()].concat();
        assert_eq!(told(&body, 7), Ok(vec![field("a", "1"), Event::FormEnds]), "{before:?}");
    }
    assert_eq!(told(b"--b--", 1), Ok(vec![Event::FormEnds]), "nothing in it");
}

/// What is refused, in pieces of one byte and at once, and by which words.
fn assert_refused(body: &[u8], word: &str) {
    for piece_bytes in [1, body.len().max(1)] {
        match told(body, piece_bytes) {
            Err(ApiError::BadRequest { field, detail }) => {
                assert!(field == "form" || field == "long", "{field}");
                assert!(detail.contains(word), "{detail}");
            }
            other => panic!("{word}: {other:?}"),
        }
    }
}

#[test]
fn a_body_that_ends_too_early_says_where() {
    let whole = form("b", &[PartOfForm::Field("a", "1"), PartOfForm::File("f", "x", b"content")]);
    let ends = whole.len();
    let head_begins = 3 + b"\r\n".len();
    for end in 0..ends - "\r\n".len() {
        let Err(ApiError::BadRequest { detail, .. }) = told(&whole[..end], 5) else { panic!("{end}") };
        if end < head_begins {
            assert!(detail.contains("does not begin"), "{end}: {detail}");
        } else {
            assert!(detail.contains("ends inside"), "{end}: {detail}");
        }
    }
    assert!(told(&whole[..ends - 2], 5).is_ok(), "the last line need not end");
}

#[test]
fn what_is_no_form_is_refused() {
    assert_refused(b"", "does not begin");
    assert_refused(b"--c\r\n\r\n--c--", "does not begin");
    assert_refused(&[b'x'; 2000], "does not begin");
    assert_refused(b"--b\r\n\r\nno headers\r\n--b--", "without `Content-Disposition");
    assert_refused(b"--b\r\nContent-Disposition: form-data; name=\"a\"\n\nx\r\n--b--\r\n", "ends inside the headers");
}

#[test]
fn what_would_be_kept_is_bounded() {
    let long = "x".repeat(MAX_FIELD_BYTES);
    assert_refused(&form("b", &[PartOfForm::Field("long", &long)]), "belongs into a file");
    assert_refused(
        &form("b", &[PartOfForm::Field("a", &long[..20_000]), PartOfForm::Field("long", &long[..20_000])]),
        "belongs into a file",
    );
    let head = format!("--b\r\nX: {}", "x".repeat(MAX_HEAD_BYTES));
    assert_refused(head.as_bytes(), "of headers");

    let many = |count: u32| form("b", &(0..count).map(|_| PartOfForm::Field("a", "1")).collect::<Vec<_>>());
    assert_eq!(told(&many(MAX_PARTS), 4096).unwrap().len(), 1001);
    assert_refused(&many(MAX_PARTS + 1), "more than 1000");
}
