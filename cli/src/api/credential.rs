//! Who asks: a token that was given, or a command that prints one. Such a command is asked again when its token has expired, so a run may
//! last longer than any token, and the token may lie where the platform keeps secrets.

use std::process::Stdio;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::failure::{Failure, Result};

/// Nobody waits longer for a command that prints something.
const COMMAND_TIMEOUT: Duration = Duration::from_mins(1);
const RENEWED: &str = "The token has expired. A new one was asked for.";

#[derive(Debug, Default)]
pub(crate) struct Credential {
    tokens: Mutex<Tokens>,
    command: Option<String>,
    /// One at a time asks the command, and the others take what it got.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Tokens {
    current: Option<String>,
    /// Some requests may still be under way with these.
    earlier: Vec<String>,
}

impl Credential {
    /// A token, or none where the server wants none.
    pub(crate) fn given(token: Option<String>) -> Result<Self> {
        let current = token.map(checked).transpose().map_err(Failure::usage)?;
        Ok(Self { tokens: Mutex::new(Tokens { current, earlier: Vec::new() }), ..Self::default() })
    }

    /// What this command of the shell prints, now and whenever that has expired.
    pub(crate) async fn printed_by(command: &str) -> Result<Self> {
        let token = printed(command).await.map_err(Failure::resumable)?;
        Ok(Self { command: Some(command.to_owned()), ..Self::given(Some(token))? })
    }

    pub(super) fn token(&self) -> Option<String> {
        self.tokens().current.clone()
    }

    /// What was done about a token that has expired, in words; `None` where nothing can be done about it.
    pub(super) async fn renew(&self, expired: &str) -> Option<String> {
        let command = self.command.as_ref()?;
        let _asking = self.asking.lock().await;
        if self.tokens().earlier.iter().any(|earlier| earlier == expired) {
            return Some(RENEWED.to_owned());
        }
        if self.token()? != expired {
            return None;
        }
        Some(match printed(command).await {
            Ok(token) if token == expired => {
                "The token has expired, and the command still prints the same one.".to_owned()
            }
            Ok(token) => {
                let mut tokens = self.tokens();
                let earlier = tokens.current.replace(token);
                tokens.earlier.extend(earlier);
                RENEWED.to_owned()
            }
            Err(complaint) => format!("The token has expired. {complaint}"),
        })
    }

    fn tokens(&self) -> MutexGuard<'_, Tokens> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the command prints. What it complains of goes where this program's own words go.
async fn printed(text: &str) -> Result<String, String> {
    let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
    let mut command = Command::new(shell);
    // Standard input may be what is sent.
    command.args([flag, text]).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let running = async { command.spawn()?.wait_with_output().await };
    let output = match timeout(COMMAND_TIMEOUT, running).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(format!("The command for the token cannot be run: {error}.")),
        Err(_) => {
            return Err(format!("The command for the token has said nothing for {} s.", COMMAND_TIMEOUT.as_secs()));
        }
    };
    if !output.status.success() {
        return Err(format!("The command for the token has failed ({}).", output.status));
    }
    let token = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if token.is_empty() {
        return Err("The command for the token prints nothing.".to_owned());
    }
    checked(token)
}

fn checked(token: String) -> Result<String, String> {
    if token.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(token)
    } else {
        Err("The token has characters that no token has: is it the token itself?".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[tokio::test]
    async fn a_command_is_asked_again_once_for_each_token_that_has_expired() {
        let folder = tempfile::tempdir().unwrap();
        let count = folder.path().join("count");
        let command = format!("echo x >> '{0}'; echo token-$(wc -l < '{0}' | tr -d ' ')", count.display());
        let credential = Credential::printed_by(&command).await.unwrap();
        assert_eq!(credential.token().as_deref(), Some("token-1"));
        let renewed = futures_util::future::join_all((0..8).map(|_| credential.renew("token-1"))).await;
        assert_eq!(renewed, vec![Some(RENEWED.to_owned()); 8]);
        assert_eq!(credential.token().as_deref(), Some("token-2"), "only one of them has asked");
        assert_eq!(credential.renew("of an upload").await, None);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_command_that_gives_no_new_token_is_said_to_be_that() {
        let credential = Credential::printed_by("echo the-same").await.unwrap();
        assert!(credential.renew("the-same").await.unwrap().contains("still prints the same"));
        for (command, said) in [("exit 7", "has failed"), ("true", "prints nothing"), ("echo two words", "characters")]
        {
            let failure = Credential::printed_by(command).await.unwrap_err();
            assert!(failure.message.contains(said), "{failure}");
        }
    }

    #[tokio::test]
    async fn a_token_that_was_given_cannot_be_renewed() {
        assert_eq!(Credential::given(Some("given".to_owned())).unwrap().renew("given").await, None);
        assert!(Credential::given(Some("two words".to_owned())).is_err());
    }
}
