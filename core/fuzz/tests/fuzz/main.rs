//! Every parser, against input that nobody sensible would send: what is kept in `corpus`, taken apart and put together again in
//! other ways. Nothing panics, and what a parser lets through is what it promises.
//!
//! | file | holds |
//! |---|---|
//! | `corpus/<target>/` | inputs, one a file: good ones, and every one that has ever broken something |
//! | `mutate` | what is made of them |
//! | `run` | how long, and what is done with an input that breaks something |
//! | `requests`, `forms`, `chunked_forms`, `values`, `tokens`, `rows` | the targets |
//!
//! `cargo test` gives it a few seconds, `cargo xtask test` a minute, `cargo xtask fuzz` as long as wanted. Every input is made by
//! proptest, which also finds the smallest that still breaks something.

#![cfg(test)]

mod chunked_forms;
mod forms;
mod mutate;
mod requests;
mod rows;
mod run;
mod tokens;
mod values;

/// One test each, of the same name as its folder in the corpus.
macro_rules! targets {
    ($($name:ident => $target:path;)*) => {
        const TARGETS: &[&str] = &[$(stringify!($name)),*];

        $(#[test]
        fn $name() {
            run::run(stringify!($name), $target);
        })*
    };
}

targets! {
    json_requests => requests::json;
    tus_requests => requests::tus;
    ietf_requests => requests::ietf;
    plain_requests => requests::plain;
    google_requests => requests::google;
    chunked_form_requests => requests::chunked_form;
    chunked_form_fields => chunked_forms::fields;
    filepond_requests => requests::filepond;
    forms => forms::forms;
    structured_fields => values::structured_fields;
    metadata => values::metadata;
    dispositions => values::dispositions;
    ranges => values::ranges;
    origins => values::origins;
    media_types => values::media_types;
    storage_messages => values::storage_messages;
    tokens => tokens::tokens;
    key_sets => tokens::key_sets;
    issuer_lists => tokens::issuer_lists;
    callers => tokens::callers;
    session_rows => rows::sessions;
    other_rows => rows::others;
}

#[test]
fn every_folder_of_the_corpus_has_its_target() {
    let mut folders: Vec<_> = std::fs::read_dir(run::corpus())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    folders.sort();
    let mut targets = TARGETS.to_vec();
    targets.sort_unstable();
    assert_eq!(folders, targets);
}
