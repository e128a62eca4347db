//! `cargo xtask demo [FILE]`: the main job from end to end, for a first look.
//!
//! The Worker and the origin on free ports with a temporary state; the file put in chunks; the connection cut once in
//! the middle of a chunk, and the upload resumed from where the server says; completed, delivered, and what the origin
//! recorded compared with the file. Success only when both hashes are equal. Leaves nothing behind.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use serde_json::Value;

use crate::demo_client::{Client, Upload, text};
use crate::demo_file::DemoFile;
use crate::demo_progress::{Progress, percent};
use crate::demo_scene::Scene;
use crate::dev::build_everything;
use crate::project::Project;
use crate::say;

const CHUNK_BYTES: u64 = 16 * 1024 * 1024;
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// Only for giving up: how long an upload that has all its bytes may take to reach the origin.
const DELIVERED_WITHIN: Duration = Duration::from_mins(5);

/// Runs it.
pub(crate) fn command(project: &Project, file: Option<PathBuf>) -> Result<ExitCode> {
    let given = file.map(DemoFile::open).transpose()?;
    let origin = build_everything(project)?;
    let scene = Scene::open()?;
    let outcome = run(project, &origin, &scene, given);
    scene.close(outcome.is_err());
    Ok(if outcome? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run(project: &Project, origin: &Path, scene: &Scene, given: Option<DemoFile>) -> Result<bool> {
    let file = match given {
        Some(file) => file,
        None => DemoFile::generate(scene.folder())?,
    };
    let urls = scene.start(project, origin)?;
    upload_and_compare(&Client::new(&urls), &file)
}

fn upload_and_compare(client: &Client, file: &DemoFile) -> Result<bool> {
    say::line(format_args!("uploading {}", file.describe()));
    let started = Instant::now();
    let upload = client.init(&file.name(), file.size_bytes, CHUNK_BYTES)?;
    put_all(client, file, &upload)?;
    client.complete(&upload)?;
    say::line(format_args!("every byte confirmed after {}", say::duration(started.elapsed())));
    let record = wait_for_delivery(client, &upload)?;
    say::line(format_args!("the origin has it after {}:", say::duration(started.elapsed())));
    say::line(format_args!("{record:#}"));
    let (ours, theirs) = (file.sha256()?, text(&record, "sha256")?);
    say::line(format_args!("SHA-256 of the file        {ours}"));
    say::line(format_args!("SHA-256 the origin stored  {theirs}"));
    say::line(if ours == theirs { "equal" } else { "NOT EQUAL" });
    Ok(ours == theirs)
}

/// Puts every chunk, cutting the connection once in the middle of the one that holds the middle of the file.
fn put_all(client: &Client, file: &DemoFile, upload: &Upload) -> Result<()> {
    let progress = Progress::new(file.size_bytes);
    let (mut offset, mut cut) = (0, false);
    while offset < file.size_bytes {
        let chunk = file.read(offset, upload.chunk_bytes)?;
        let chunk_end = offset + u64::try_from(chunk.len())?;
        if !cut && chunk.len() > 1 && chunk_end > file.size_bytes / 2 {
            cut = true;
            client.put_half(upload, offset, &chunk)?;
            offset = client.offset(upload)?;
            progress.note(&format!(
                "connection cut in the middle of the chunk that ends at {} %, resuming from {} %",
                percent(chunk_end, file.size_bytes),
                percent(offset, file.size_bytes)
            ));
        } else {
            let confirmed = client.put(upload, offset, &chunk)?;
            ensure!(confirmed > offset, "the Worker took a chunk at {offset} and confirms {confirmed} bytes");
            offset = confirmed;
        }
        progress.confirmed(offset);
    }
    progress.end();
    Ok(())
}

fn wait_for_delivery(client: &Client, upload: &Upload) -> Result<Value> {
    let started = Instant::now();
    loop {
        let status = client.status(upload)?;
        let (state, delivery) = (text(&status, "state")?, text(&status, "delivery")?);
        ensure!(!["failed", "aborted", "expired"].contains(&state.as_str()), "the upload ended as {state}: {status}");
        ensure!(delivery != "failed", "the origin did not take the event: {status}");
        if delivery == "delivered"
            && let Some(record) = client.origin_record(upload)?
        {
            match text(&record, "state")?.as_str() {
                "stored" => return Ok(record),
                "rejected" => bail!("the origin rejected the upload: {record}"),
                _ => {}
            }
        }
        ensure!(
            started.elapsed() < DELIVERED_WITHIN,
            "not delivered within {}: {status}",
            say::duration(DELIVERED_WITHIN)
        );
        thread::sleep(POLL_INTERVAL);
    }
}
