//! `quay put`: files, folders, standard input.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures_util::StreamExt;

use crate::args::{Global, Put};
use crate::aside::aside;
use crate::config;
use crate::failure::{Failure, Kind, Result, exit_code_of};
use crate::manifest::{self, Outcome};
use crate::progress::report::{FileProgress, Report, Shown, Summary};
use crate::progress::style::{Style, report};
use crate::results::has_room;
use crate::state::{StateFolder, absolute_bytes, finished::Finished, name_of};
use crate::throttle::Throttle;
use crate::upload::base::{Job, Route, Settings, Shared};
use crate::upload::lane::Lane;
use crate::upload::sent::Sent;
use crate::upload::source::Source;
use crate::upload::spool::Spool;
use crate::upload::{life, live, names, stream};
use crate::walk::{FoundFile, Globs, find};

/// So many files are worked on at once. How many requests are under way is another matter.
const FILES_AT_ONCE: usize = 16;

/// Runs it. The exit code.
pub(crate) async fn run(global: &Global, put: Put) -> Result<u8> {
    let report = report(style(global));
    let api = config::api(global).await?;
    let state = StateFolder::open(&config::state_folder()?, |complaint| report.note(None, &complaint));
    let shared = Shared {
        api,
        state,
        lane: Lane::new(put.parallel.into()),
        throttle: Arc::new(Throttle::new(put.limit_rate)),
        settings: Settings {
            chunk_bytes: put.chunk_size,
            content_type: put.content_type.clone(),
            metadata: put.metadata.iter().cloned().collect(),
            dedup: put.dedup,
            route: if put.direct { Route::Direct } else { Route::ThroughServer },
            restart: put.restart,
            retry_for: put.retry_for,
        },
    };
    let run = Run { shared, report, began: Instant::now() };
    let is_stream = |path: &PathBuf| path.as_os_str() == "-";
    if put.paths.iter().any(is_stream) {
        if put.paths.len() > 1 {
            return Err(Failure::usage("`-`, standard input, is sent by itself: name no other files beside it."));
        }
        return run.send_stream(&put).await;
    }
    if put.live {
        return Err(Failure::usage("--live is for standard input: `tail -f FILE | quay put - --live`."));
    }
    run.send_files(&put).await
}

fn style(global: &Global) -> Style {
    match (global.json, global.quiet) {
        (true, _) => Style::Json,
        (_, true) => Style::Quiet,
        _ => Style::Human,
    }
}

struct Run {
    shared: Shared,
    report: Arc<dyn Report>,
    began: Instant,
}

impl Run {
    async fn send_stream(&self, put: &Put) -> Result<u8> {
        put.manifest.as_deref().map_or(Ok(()), manifest::must_be_writable)?;
        if put.dedup {
            return Err(Failure::usage("--dedup needs to read a file twice, and standard input is there once."));
        }
        if put.direct {
            return Err(Failure::usage(
                "--direct needs to know how long a file is, and nobody knows it of standard input.",
            ));
        }
        let name = names::shown(put.name.as_deref().unwrap_or("stdin").as_ref());
        let shown = Shown { number: 0, name: name.clone(), bytes: None };
        let progress = FileProgress::new(Arc::clone(&self.report), shown);
        self.report.begin(1, 0);
        let sent = if put.live {
            self.send_live(put, &name, progress.clone()).await
        } else {
            stream::send(&self.shared, &name, tokio::io::stdin(), progress.clone()).await
        };
        let result = sent.inspect(|sent| progress.finished(sent)).inspect_err(|failure| progress.failed(failure));
        let outcomes = [Outcome { path: name, path_bytes: None, result }];
        self.end(&outcomes, 0, put.manifest.as_deref())
    }

    async fn send_live(&self, put: &Put, name: &str, progress: FileProgress) -> Result<Sent> {
        let told = progress.clone();
        let spool = Spool::new(self.shared.state.folder(), put.spool, move |complaint| told.note(complaint));
        let begun = spool.fill(std::io::stdin());
        begun.map_err(|error| Failure::resumable(format!("The input cannot be read: {error}.")))?;
        let asked = live::Asked { tell_every: put.tell_every, end_after: put.end_after };
        live::send(&self.shared, name, asked, spool, progress).await
    }

    async fn send_files(&self, put: &Put) -> Result<u8> {
        put.manifest.as_deref().map_or(Ok(()), manifest::must_be_writable)?;
        let (paths, globs) = (put.paths.clone(), Globs::new(&put.include, &put.exclude)?);
        let found = aside(move || find(&paths, &globs)).await?;
        if put.name.is_some() && (found.files.len() != 1 || put.paths[0].is_dir()) {
            return Err(Failure::usage("--name is for one file, or standard input."));
        }
        if found.files.is_empty() && found.unreadable.is_empty() {
            return Err(Failure::usage("There is no file to send: the folders are empty, or nothing matches."));
        }
        for note in found.notes.iter().chain(&found.unreadable) {
            self.report.note(None, note);
        }
        self.report.begin(found.files.len(), found.files.iter().map(|file| file.bytes).sum());
        // What was asked belongs to it: with other metadata they are other uploads.
        let Settings { content_type, metadata, dedup, .. } = &self.shared.settings;
        let asked = serde_json::to_vec(&(content_type, metadata, dedup)).unwrap_or_default();
        let run_name = name_of(&[self.state_name(put.paths.iter().map(PathBuf::as_path)).as_bytes(), &asked]);
        let finished = Mutex::new(Finished::open(&self.shared.state, &run_name));
        let is_one = found.files.len() == 1 && found.unreadable.is_empty();
        let sending = found.files.iter().enumerate().map(|(number, file)| {
            let (finished, name) = (&finished, put.name.as_deref());
            async move { (file, self.send_file(number, file, name, (!is_one).then_some(finished)).await) }
        });
        let results: Vec<_> = futures_util::stream::iter(sending).buffer_unordered(FILES_AT_ONCE).collect().await;
        let earlier_files = results.iter().filter(|(_, result)| matches!(result, Ok(Came::Earlier(_)))).count();
        let outcome = |(file, result): (&FoundFile, Result<Came>)| {
            let (path, path_bytes) = (file.shown.clone(), file.exact.clone());
            Outcome { path, path_bytes, result: result.map(Came::sent) }
        };
        let mut outcomes: Vec<_> = results.into_iter().map(outcome).collect();
        outcomes.sort_by(|one, other| one.path.cmp(&other.path));
        for unreadable in &found.unreadable {
            let result = Err(Failure::resumable(unreadable.clone()));
            outcomes.push(Outcome { path: String::new(), path_bytes: None, result });
        }
        let code = self.end(&outcomes, earlier_files, put.manifest.as_deref())?;
        // Not before the manifest is written: until then the same command sends nothing twice.
        if outcomes.iter().all(|outcome| outcome.result.is_ok()) {
            finished.into_inner().unwrap_or_else(PoisonError::into_inner).forget();
        }
        Ok(code)
    }

    async fn send_file(
        &self,
        number: usize,
        file: &FoundFile,
        name: Option<&str>,
        finished: Option<&Mutex<Finished>>,
    ) -> Result<Came> {
        let shown = Shown { number, name: file.shown.clone(), bytes: Some(file.bytes) };
        let progress = FileProgress::new(Arc::clone(&self.report), shown);
        let file_name = names::shown(name.map_or_else(|| file.path.file_name().unwrap_or_default(), str::as_ref));
        let state_name = self.state_name([file.path.as_path()].into_iter());
        if let Some(finished) = finished
            && let Ok(source) = Source::open(&file.path)
        {
            let known = lock(finished).find(&state_name, &source.fingerprint);
            if let Some(sent) = known.filter(|_| !self.shared.settings.restart) {
                return Ok(Came::Earlier(sent));
            }
        }
        let job = Job { path: file.path.clone(), file_name, metadata: file.metadata.clone(), state_name };
        let keep = |source: &Source, sent: &Sent| match finished {
            Some(finished) => lock(finished).add(&job.state_name, &source.fingerprint, sent),
            None => Ok(()),
        };
        let sent = life::send(&self.shared, &job, progress.clone(), keep).await;
        match &sent {
            Ok(sent) => progress.finished(sent),
            Err(failure) => progress.failed(failure),
        }
        has_room().await;
        sent.map(Came::Now)
    }

    /// What is kept belongs to a server, to whoever asks it, and to these paths.
    fn state_name<'a>(&self, paths: impl Iterator<Item = &'a Path>) -> String {
        let (api, subject) = (&self.shared.api, self.shared.api.subject().unwrap_or_default());
        let paths: Vec<_> = paths.map(absolute_bytes).collect();
        let parts = [api.endpoint().as_bytes(), subject.as_bytes()];
        name_of(&parts.into_iter().chain(paths.iter().map(Vec::as_slice)).collect::<Vec<_>>())
    }

    fn end(&self, outcomes: &[Outcome], earlier_files: usize, manifest: Option<&Path>) -> Result<u8> {
        let sent = || outcomes.iter().filter_map(|outcome| outcome.result.as_ref().ok());
        let failed: Vec<Kind> =
            outcomes.iter().filter_map(|outcome| Some(outcome.result.as_ref().err()?.kind)).collect();
        self.report.end(&Summary {
            sent_files: sent().count() - earlier_files,
            earlier_files,
            failed_files: failed.len(),
            resumable_files: failed.iter().filter(|kind| **kind == Kind::Resumable).count(),
            bytes: sent().map(|sent| sent.bytes).sum(),
            sent_bytes: sent().map(|sent| sent.sent_bytes).sum(),
            took_ms: u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
        if let Some(path) = manifest {
            manifest::write(path, outcomes)?;
        }
        Ok(exit_code_of(failed))
    }
}

/// What came of a file.
enum Came {
    Now(Sent),
    /// An earlier run of the same command has sent it.
    Earlier(Sent),
}

impl Came {
    fn sent(self) -> Sent {
        match self {
            Self::Now(sent) => sent,
            // Nothing of it has left now.
            Self::Earlier(sent) => Sent { sent_bytes: 0, ..sent },
        }
    }
}

fn lock(finished: &Mutex<Finished>) -> std::sync::MutexGuard<'_, Finished> {
    finished.lock().unwrap_or_else(PoisonError::into_inner)
}
