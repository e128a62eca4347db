//! The fields of a form: what they say of its files, and what they say to this service.

use std::collections::BTreeMap;

use crate::file_words::MAX_METADATA_BYTES;
use upload_types::api_error::ApiError;

/// Where a form says what a header would: a page without script can send none (RFC 6750, section 2.2, has the name).
pub const TOKEN_FIELD: &str = "access_token";

/// Where a form says which page comes next.
pub const REDIRECT_FIELD: &str = "redirect";

/// Under this name metadata says which field of the form a file was chosen in.
const FILE_FIELD: &str = "formField";

/// Fields in the order in which they came. How long they may be together is the parser's to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// One more.
    pub fn add(&mut self, name: String, value: String) {
        self.0.push((name, value));
    }

    /// Names and values, in order.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// The first value of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// What they say of a file that was chosen in this field. Several values of one name, as checkboxes have them, become lines.
    pub fn metadata(&self, file_field: &str) -> Result<BTreeMap<String, String>, ApiError> {
        let mut metadata = BTreeMap::<String, String>::new();
        let mut bytes = 0;
        for (name, value) in self.0.iter().filter(|(name, _)| name != TOKEN_FIELD && name != REDIRECT_FIELD) {
            bytes += name.len() + value.len() + "\n".len();
            if bytes > MAX_METADATA_BYTES {
                let detail = format!(
                    "makes the fields longer than {MAX_METADATA_BYTES} bytes together: they go along with the file as its metadata"
                );
                return Err(ApiError::bad_request(name, detail));
            }
            match metadata.get_mut(name) {
                Some(values) => {
                    values.push('\n');
                    values.push_str(value);
                }
                None => drop(metadata.insert(name.clone(), value.clone())),
            }
        }
        if !file_field.is_empty() && bytes + FILE_FIELD.len() + file_field.len() <= MAX_METADATA_BYTES {
            metadata.entry(FILE_FIELD.to_owned()).or_insert_with(|| file_field.to_owned());
        }
        Ok(metadata)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        Fields(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn fields_become_metadata() {
        let fields = fields(&[
            ("album", "7"),
            ("tag", "a"),
            (TOKEN_FIELD, "secret"),
            ("tag", ""),
            ("tag", "b c"),
            (REDIRECT_FIELD, "/"),
        ]);
        let metadata = fields.metadata("photo").unwrap();
        let shown: Vec<_> = metadata.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(shown, [("album", "7"), ("formField", "photo"), ("tag", "a\n\nb c")]);
        assert_eq!((fields.get("tag"), fields.get(TOKEN_FIELD), fields.get("x")), (Some("a"), Some("secret"), None));
    }

    #[test]
    fn what_a_form_says_itself_stays() {
        assert_eq!(fields(&[("formField", "mine")]).metadata("photo").unwrap()["formField"], "mine");
        assert!(Fields::default().metadata("").unwrap().is_empty());
    }

    #[test]
    fn more_than_metadata_holds_is_refused_by_name() {
        let long = "x".repeat(5000);
        let Err(ApiError::BadRequest { field, .. }) = fields(&[("a", &long), ("b", &long)]).metadata("f") else {
            panic!()
        };
        assert_eq!(field, "b");
        assert_eq!(
            fields(&[("a", &"x".repeat(MAX_METADATA_BYTES - 2))]).metadata("f").unwrap().len(),
            1,
            "no room for more"
        );
    }
}
