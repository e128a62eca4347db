//! `quay ls`, `usage`, `link`, `status`, `log`, `rm`: what the server knows of uploads, as tables or JSON.

use serde_json::{Value, json};

use crate::api::documents::{Log, LogEntry, OpenUpload, Status};
use crate::api::refusal::Verdict;
use crate::args::{Global, Link, OneUpload, Uploads};
use crate::commands::upload;
use crate::config;
use crate::failure::{Failure, Result, exit_code_of};
use crate::progress::words::size;
use crate::results::print;
use upload_types::ledger::{OwnerUsage, Used};

/// The owner's open uploads, newest first.
pub(crate) async fn list(global: &Global) -> Result<u8> {
    let api = config::api(global).await?;
    let mut cursor = None;
    let mut rows = Vec::new();
    loop {
        let page = api.open_uploads(cursor.as_deref()).await?;
        for upload in page.uploads {
            if global.json {
                print(json!(upload));
            } else {
                rows.push(row(&upload));
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    if !global.json {
        table(&["UPLOAD", "SIZE", "CREATED", "EXPIRES", "NAME"], &rows);
    }
    Ok(0)
}

/// What the owner uses of its quotas.
pub(crate) async fn usage(global: &Global) -> Result<u8> {
    let usage = config::api(global).await?.usage().await?;
    if global.json {
        print(json!(usage));
        return Ok(0);
    }
    let OwnerUsage { open_uploads, open_bytes, bytes_today, .. } = usage;
    let mut rows =
        vec![used("open uploads", open_uploads, |count| count.to_string()), used("their bytes", open_bytes, size)];
    rows.extend(bytes_today.map(|today| used("bytes today", today, size)));
    table(&["QUOTA", "USED", "OF"], &rows);
    Ok(0)
}

fn used(what: &str, Used { used, limit, .. }: Used, shown: fn(u64) -> String) -> Vec<String> {
    vec![what.to_owned(), shown(used), limit.map_or("no limit".to_owned(), shown)]
}

/// An address of a finished file that needs no token. Alone on its line, so that a script can take it.
pub(crate) async fn link(global: &Global, link: &Link) -> Result<u8> {
    let wanted = json!({
        "expiresInSeconds": link.expires.map(|expires| expires.as_secs()),
        "disposition": if link.inline { "inline" } else { "attachment" },
        "fileName": link.name,
    });
    let signed = config::api(global).await?.link(&upload(&link.id)?, &wanted).await?;
    match signed["url"].as_str() {
        Some(url) if !global.json => print(url),
        _ => print(signed),
    }
    Ok(0)
}

fn row(upload: &OpenUpload) -> Vec<String> {
    let OpenUpload { upload_id, file_name, file_size, created_at, expires_at } = upload;
    let bytes = file_size.map_or("?".to_owned(), |bytes| size(bytes.get()));
    vec![upload_id.to_string(), bytes, moment(created_at), moment(expires_at), file_name.clone()]
}

/// How uploads stand, each by itself: one that is gone hides no other.
pub(crate) async fn status(global: &Global, uploads: &Uploads) -> Result<u8> {
    let api = config::api(global).await?;
    let (mut rows, mut failed) = (Vec::new(), Vec::new());
    for id in &uploads.ids {
        match api.status_document(&upload(id)?).await {
            Ok(document) if global.json => print(document),
            Ok(document) => rows.push(status_row(document)?),
            Err(refusal) => {
                let failure = Failure::from(refusal);
                crate::tell::tell(format_args!("{id}: {failure}"));
                failed.push(failure.kind);
            }
        }
    }
    if !rows.is_empty() {
        table(&["UPLOAD", "STATE", "ARRIVED", "SIZE", "EVENT", "NAME"], &rows);
    }
    Ok(exit_code_of(failed))
}

fn status_row(document: Value) -> Result<Vec<String>> {
    let status: Status = serde_json::from_value(document)
        .map_err(|error| Failure::refused(format!("The server's answer is not understood: {error}.")))?;
    let bytes = status.file_size.map_or("?".to_owned(), |bytes| size(bytes.get()));
    let arrived = size(status.uploaded_bytes.get());
    let state = status.state.name().to_owned();
    Ok(vec![status.upload_id.to_string(), state, arrived, bytes, status.delivery, status.file_name])
}

/// What has happened to an upload.
pub(crate) async fn log(global: &Global, one: &OneUpload) -> Result<u8> {
    let document = config::api(global).await?.log(&upload(&one.id)?).await?;
    if global.json {
        print(document);
        return Ok(0);
    }
    let log: Log = serde_json::from_value(document)
        .map_err(|error| Failure::refused(format!("The server's answer is not understood: {error}.")))?;
    let rows: Vec<_> = log.entries.iter().map(log_row).collect();
    table(&["AT", "EVENT", "TIMES", "ARRIVED", "DETAIL"], &rows);
    if log.total > log.entries.iter().map(|entry| entry.times).sum() {
        crate::tell::tell(format_args!("Older entries are not kept: {} in all.", log.total));
    }
    Ok(0)
}

fn log_row(entry: &LogEntry) -> Vec<String> {
    let LogEntry { at, times, event, uploaded_bytes, detail } = entry;
    let arrived = uploaded_bytes.map(size).unwrap_or_default();
    vec![moment(at), event.clone(), times.to_string(), arrived, detail.clone().unwrap_or_default()]
}

/// Nothing of them shall remain.
pub(crate) async fn remove(global: &Global, uploads: &Uploads) -> Result<u8> {
    let api = config::api(global).await?;
    let mut failed = Vec::new();
    for id in &uploads.ids {
        match api.delete(&upload(id)?).await {
            Ok(()) => {}
            // It has ended by itself, and there is nothing left of it.
            Err(refusal) if refusal.verdict == Verdict::Gone && refusal.status == Some(410) => {}
            Err(refusal) => {
                let failure = Failure::from(refusal);
                crate::tell::tell(format_args!("{id}: {failure}"));
                failed.push(failure.kind);
            }
        }
    }
    Ok(exit_code_of(failed))
}

/// `2026-11-29 11:07:48`, of a date in UTC.
fn moment(rfc3339: &str) -> String {
    rfc3339.get(..19).unwrap_or(rfc3339).replace('T', " ")
}

fn table(head: &[&str], rows: &[Vec<String>]) {
    let head: Vec<String> = head.iter().map(|text| (*text).to_owned()).collect();
    for line in lines(&head, rows) {
        print(line);
    }
}

/// Columns as wide as what is in them.
fn lines(head: &[String], rows: &[Vec<String>]) -> Vec<String> {
    let all = || std::iter::once(head).chain(rows.iter().map(Vec::as_slice));
    let width = |column: usize| all().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..head.len()).map(width).collect();
    let line = |row: &[String]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    all().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let texts = |row: [&str; 2]| row.map(str::to_owned).to_vec();
        assert_eq!(lines(&texts(["A", "B"]), &[texts(["äöü", "x"]), texts(["y", ""])]), ["A    B", "äöü  x", "y"]);
        assert_eq!(moment("2026-11-29T11:07:48.566Z"), "2026-11-29 11:07:48");
    }
}
