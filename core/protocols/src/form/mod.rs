//! Forms with files (`multipart/form-data`, RFC 7578), as a page without script and most upload libraries send them: `POST /upload`.
//!
//! * `boundary`: what its parts are told apart by. `delimiter`: where they end, and `find`: how that is looked for. `part_head`: what stands above
//!   them. `parser`: the form, taken apart as it comes. `fields`: what it says beside its files.
//! * `request`, `render`: which requests are forms, and what they are answered. `redirect`: where a browser goes then.
//!
//! A form is read while it is carried out, so what it asks for is no operation before: whoever carries it out makes one creation of each file.

mod boundary;
mod delimiter;
mod fields;
mod find;
mod parser;
mod part_head;
mod redirect;
mod render;
mod request;

pub use boundary::Boundary;
pub use fields::{Fields, REDIRECT_FIELD, TOKEN_FIELD};
pub use parser::{Event, MAX_FIELD_BYTES, MAX_PARTS, Parser};
pub use part_head::FileHead;
pub use redirect::AllowedRedirects;
pub use render::{FileAnswer, refused_by, reply};
pub use request::{AnswerFormat, FormRequest, is_spoken, parse};

#[cfg(test)]
pub(crate) mod tests {
    use super::Boundary;

    /// A boundary, in tests.
    pub(crate) fn boundary(text: &str) -> Boundary {
        let headers = crate::Headers::of([("content-type", format!("multipart/form-data; boundary={text}").as_str())]);
        let head = crate::Head { method: http::Method::POST, path: String::new(), query: String::new(), headers };
        Boundary::of(&head).unwrap()
    }

    /// What a form is made of.
    pub(crate) enum PartOfForm<'a> {
        /// Name and value.
        Field(&'a str, &'a str),
        /// The field, the file's name and its bytes.
        File(&'a str, &'a str, &'a [u8]),
    }

    /// A form as browsers write it.
    pub(crate) fn form(boundary: &str, parts: &[PartOfForm<'_>]) -> Vec<u8> {
        let mut body = Vec::new();
        for part in parts {
            let (head, content) = match part {
                PartOfForm::Field(name, value) => (format!("name=\"{name}\""), value.as_bytes()),
                PartOfForm::File(field, name, bytes) => (format!("name=\"{field}\"; filename=\"{name}\""), *bytes),
            };
            body.extend(format!("--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n").bytes());
            body.extend_from_slice(content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend(format!("--{boundary}--\r\n").bytes());
        body
    }
}
