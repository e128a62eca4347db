//! Which vars and secrets the Worker reads, by its sources, and which secrets wrangler.toml names.

use std::collections::BTreeSet;

/// The sources that read vars and secrets.
pub(crate) const READERS: [&str; 5] =
    ["src/address_settings.rs", "src/config.rs", "src/receivers.rs", "src/token_settings.rs", "src/storage/s3.rs"];

/// What stands in capitals between quotes there, too.
const METHODS: [&str; 4] = ["GET", "PUT", "POST", "DELETE"];

/// Every name in capitals between quotes: which vars and secrets a source reads.
pub(crate) fn names_read(source: &str) -> BTreeSet<String> {
    let quoted = source.split('"').skip(1).step_by(2);
    let is_name = |text: &&str| {
        text.len() > 2
            && text.chars().all(|c| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit())
            && text.starts_with(|c: char| c.is_ascii_uppercase())
            && !METHODS.contains(text)
    };
    quoted.filter(is_name).map(str::to_owned).collect()
}

/// The secrets that wrangler.toml names, one a line in its last comment.
pub(crate) fn secrets_named(toml: &str) -> BTreeSet<String> {
    let after = toml.split("# Secrets (").nth(1).unwrap_or_default();
    let lines = after.lines().skip(1).map_while(|line| line.strip_prefix("# "));
    let first_words = lines.filter_map(|line| line.split_once("  ").map(|(word, _)| word));
    first_words.filter(|word| names_read(&format!("\"{word}\"")).contains(*word)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_where_they_are_read_and_where_they_are_written() {
        let read =
            names_read(r#"text(env, "AUTH")?; secret(env, "WEBHOOK_SECRET"); other("lower"); const X: &str = "A B";"#);
        assert_eq!(read, BTreeSet::from(["AUTH".to_owned(), "WEBHOOK_SECRET".to_owned()]));
        let named = secrets_named(
            "x\n# Secrets (put them):\n# ONE_SECRET   says\n# OTHER_SECRET  says\n# While one is there\n",
        );
        assert_eq!(named, BTreeSet::from(["ONE_SECRET".to_owned(), "OTHER_SECRET".to_owned()]));
    }
}
