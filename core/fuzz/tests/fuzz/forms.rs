//! Forms with files: a request as in `requests`, whose body is taken apart.
//!
//! However the body is cut into pieces, the same is found in it; nothing that is kept grows with it; and every file is an upload that can be
//! told of.

use upload_protocols::{
    Asked, Head, Parsed, Protocol,
    form::{Event, Fields, FileHead, FormRequest, MAX_FIELD_BYTES, MAX_PARTS, Parser, parse},
};
use upload_types::{api_error::ApiError, units::UnixMs};

use crate::requests::{created, limits, read, sendable};

pub(crate) fn forms(input: &[u8]) {
    let Some((head, body)) = read(input) else { return };
    let _ = Protocol::of(&head);
    let asked = Asked {
        head: &head,
        limits: Some(limits()),
        base_url: "https://u.example",
        problems_url: "https://u.example/problems/",
        now: UnixMs(1_800_000_000_000),
    };
    match parse(&head) {
        Ok(Parsed::Form(request)) => form(&head, &request, body, &asked),
        Ok(Parsed::NeedsBody { finish, .. }) => drop(finish(&head, body)),
        Ok(Parsed::Ready(_)) => panic!("a form is read while it is carried out"),
        Err(refusal) => sendable(&Protocol::Form.problem(&asked, &refusal, None)),
    }
}

fn form(head: &Head, request: &FormRequest, body: &[u8], asked: &Asked<'_>) {
    let whole = Told::of(request, body, usize::MAX);
    for piece_bytes in [1, 7, 64] {
        assert_eq!(Told::of(request, body, piece_bytes), whole, "in pieces of {piece_bytes}");
    }
    if let Err(refusal) = &whole.ended {
        sendable(&Protocol::Form.problem(asked, refusal, None));
    }
    assert!(whole.files.len() <= MAX_PARTS as usize);
    for (index, (file, bytes)) in whole.files.iter().enumerate() {
        assert!(bytes.len() <= body.len());
        match request.creation(head, file, &whole.fields, index, None) {
            Ok(create) => created(create, Protocol::Form, asked),
            Err(refusal) => sendable(&Protocol::Form.problem(asked, &refusal, None)),
        }
    }
}

/// What was found in a body.
#[derive(Debug, PartialEq)]
struct Told {
    fields: Fields,
    files: Vec<(FileHead, Vec<u8>)>,
    ended: Result<(), ApiError>,
}

impl Told {
    fn of(request: &FormRequest, body: &[u8], piece_bytes: usize) -> Self {
        let mut parser = Parser::new(&request.boundary);
        let mut told = Self { fields: Fields::default(), files: Vec::new(), ended: Ok(()) };
        let mut field_bytes = 0;
        for piece in body.chunks(piece_bytes.min(body.len().max(1))) {
            told.ended = parser.push(piece, |event| match event {
                Event::Field(name, value) => {
                    // What is no UTF-8 has become three bytes for one.
                    field_bytes += name.len() + value.len();
                    assert!(field_bytes <= 3 * MAX_FIELD_BYTES);
                    told.fields.add(name, value);
                }
                Event::File(file, _) => told.files.push((file, Vec::new())),
                Event::Content(range) => told.files.last_mut().unwrap().1.extend_from_slice(&piece[range]),
                Event::Kept(bytes) => {
                    assert!(bytes.len() <= 70 + 5, "{bytes:?}");
                    told.files.last_mut().unwrap().1.extend(bytes);
                }
                Event::FileEnds | Event::FormEnds => {}
            });
            if told.ended.is_err() {
                return told;
            }
        }
        told.ended = parser.finish();
        told
    }
}
