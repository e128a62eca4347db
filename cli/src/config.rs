//! Endpoint and token, and the folders of this user: from the command line, the environment, or the file that `quay login` writes, in this
//! order.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::api::{Api, credential::Credential};
use crate::args::Global;
use crate::failure::{Failure, Result};
use crate::state::make_private_folder;

/// What a login writes begins so, until it has its name.
const ASIDE: &str = ".quay-login-";
/// No login takes so long.
const CRASHED: Duration = Duration::from_hours(1);

/// What the file holds.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
    /// Prints a token, in place of one that is kept here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_command: Option<String>,
}

/// The server that was asked for.
pub(crate) async fn api(global: &Global) -> Result<Api> {
    let Kept { endpoint, token, token_command } = chosen(global, kept(global)?);
    let endpoint = endpoint.ok_or_else(|| {
        Failure::usage("No endpoint is known: give --endpoint or QUAY_ENDPOINT, or keep one with `quay login URL`.")
    })?;
    let credential = match token_command {
        Some(command) => Credential::printed_by(&command).await?,
        None => Credential::given(token)?,
    };
    Api::new(&endpoint, credential)
}

/// What was given counts more than what is kept; and a token that is kept goes to no other server than the one it was kept for.
fn chosen(global: &Global, kept: Kept) -> Kept {
    let slashless = |url: &String| url.trim_end_matches('/').to_owned();
    let is_elsewhere =
        global.endpoint.is_some() && global.endpoint.as_ref().map(slashless) != kept.endpoint.as_ref().map(slashless);
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let (token, token_command) = match (given(&global.token), given(&global.token_command)) {
        (None, None) if !is_elsewhere => (kept.token, kept.token_command),
        given => given,
    };
    Kept { endpoint: global.endpoint.clone().or(kept.endpoint), token, token_command }
}

fn kept(global: &Global) -> Result<Kept> {
    let path = path(global)?;
    match std::fs::read_to_string(&path) {
        Ok(text) => toml::from_str(&text)
            .map_err(|error| Failure::usage(format!("{} is not understood: {}.", path.display(), error.message()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && global.config.is_none() => Ok(Kept::default()),
        Err(error) => Err(Failure::usage(format!("{} cannot be read: {error}.", path.display()))),
    }
}

/// Keeps it, where nobody else may read it.
pub(crate) fn keep(global: &Global, kept: &Kept) -> Result<PathBuf> {
    let path = path(global)?;
    let failed = |error: std::io::Error| Failure::usage(format!("{} cannot be written: {error}.", path.display()));
    let text = toml::to_string(kept).map_err(|error| Failure::usage(format!("It cannot be kept: {error}.")))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make_private_folder(folder).map_err(failed)?;
    forget_crashed(folder);
    // Aside, in a file of its own that nobody else may read, and put in its place when it is whole and on the disk.
    // Crash here: what was kept before is kept, and the file aside goes with a later login.
    let aside = tempfile::Builder::new().prefix(ASIDE).tempfile_in(folder).and_then(|mut aside| {
        aside.write_all(text.as_bytes())?;
        aside.as_file().sync_all()?;
        Ok(aside)
    });
    aside.and_then(|aside| aside.persist(&path).map_err(|failed| failed.error)).map_err(failed)?;
    Ok(path)
}

/// Takes away what logins have left that were killed. One that is on its way just now is younger.
fn forget_crashed(folder: &Path) {
    let is_left = |entry: &std::fs::DirEntry| {
        let is_aside = entry.file_name().to_string_lossy().starts_with(ASIDE);
        let age = entry.metadata().and_then(|found| found.modified()).ok().and_then(|at| at.elapsed().ok());
        is_aside && age.is_some_and(|age| age > CRASHED)
    };
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten().filter(is_left) {
        // Where it stays, it is in nobody's way.
        let _ = std::fs::remove_file(entry.path());
    }
}

fn path(global: &Global) -> Result<PathBuf> {
    match &global.config {
        Some(path) => Ok(path.clone()),
        None => Ok(home_below(&["XDG_CONFIG_HOME", "APPDATA"], ".config")?.join("quay").join("config.toml")),
    }
}

/// Where it is kept how to go on.
pub(crate) fn state_folder() -> Result<PathBuf> {
    match std::env::var_os("QUAY_STATE_DIR") {
        Some(folder) if !folder.is_empty() => Ok(PathBuf::from(folder)),
        _ => Ok(home_below(&["XDG_STATE_HOME", "LOCALAPPDATA"], ".local/state")?.join("quay")),
    }
}

/// The first of these variables that names a folder, or this folder in the user's own.
fn home_below(variables: &[&str], otherwise: &str) -> Result<PathBuf> {
    let named = variables.iter().filter_map(std::env::var_os).map(PathBuf::from);
    if let Some(folder) = named.into_iter().find(|folder| folder.is_absolute()) {
        return Ok(folder);
    }
    let home = std::env::home_dir().filter(|home| home.is_absolute());
    home.map(|home| home.join(Path::new(otherwise)))
        .ok_or_else(|| Failure::usage("This user has no home: name folders with QUAY_STATE_DIR and --config."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn global(endpoint: Option<&str>, token: Option<&str>, config: Option<PathBuf>) -> Global {
        let (endpoint, token) = (endpoint.map(str::to_owned), token.map(str::to_owned));
        Global { endpoint, token, token_command: None, config, json: false, quiet: false }
    }

    fn kept_for(endpoint: &str) -> Kept {
        Kept { endpoint: Some(endpoint.to_owned()), token: Some("kept".to_owned()), token_command: None }
    }

    #[test]
    fn what_is_given_counts_more_and_a_kept_token_goes_to_no_other_server() {
        let choose = |endpoint, token| chosen(&global(endpoint, token, None), kept_for("https://a.example"));
        let texts = |chosen: Kept| (chosen.endpoint.unwrap(), chosen.token.unwrap_or_default());
        assert_eq!(texts(choose(None, None)), ("https://a.example".to_owned(), "kept".to_owned()));
        assert_eq!(texts(choose(Some("https://a.example/"), None)).1, "kept");
        assert_eq!(texts(choose(Some("https://b.example"), None)), ("https://b.example".to_owned(), String::new()));
        assert_eq!(texts(choose(Some("https://b.example"), Some("given"))).1, "given");
        let command = |text: &str| Some(text.to_owned());
        let kept = || Kept { token: None, token_command: command("kept"), ..kept_for("https://a.example") };
        assert_eq!(chosen(&global(None, None, None), kept()).token_command, command("kept"));
        assert_eq!(chosen(&global(Some("https://b.example"), None, None), kept()).token_command, None);
        let given = chosen(&global(None, Some("given"), None), kept());
        assert_eq!((given.token, given.token_command), (command("given"), None));
        let asked = Global { token_command: command("given"), ..global(None, None, None) };
        let given = chosen(&asked, kept_for("https://a.example"));
        assert_eq!((given.token, given.token_command), (None, command("given")));
    }

    #[test]
    fn what_is_kept_is_read_again_and_nobody_else_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let global = global(None, None, Some(folder.path().join("quay/config.toml")));
        let path = keep(&global, &kept_for("https://a.example")).unwrap();
        assert_eq!(kept(&global).unwrap(), kept_for("https://a.example"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        std::fs::write(&path, "endpiont = \"https://a.example\"").unwrap();
        assert!(kept(&global).unwrap_err().message.contains("endpiont"));
    }

    #[test]
    fn logins_at_once_are_in_nobodys_way_and_what_a_crash_has_left_goes() {
        let folder = tempfile::tempdir().unwrap();
        let global = global(None, None, Some(folder.path().join("config.toml")));
        let left = folder.path().join(".quay-login-crashed");
        std::fs::write(&left, "token = \"old\"").unwrap();
        let long_ago = std::time::SystemTime::now() - 2 * CRASHED;
        std::fs::File::options().write(true).open(&left).unwrap().set_modified(long_ago).unwrap();
        std::thread::scope(|scope| {
            let logins: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| (0..20).map(|_| keep(&global, &kept_for("https://a.example"))).collect::<Vec<_>>())
                })
                .collect();
            for login in logins.into_iter().flat_map(|login| login.join().unwrap()) {
                login.unwrap();
            }
        });
        assert_eq!(kept(&global).unwrap(), kept_for("https://a.example"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing but the file itself");
    }
}
