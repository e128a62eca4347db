//! `quay login`: keeps an endpoint and a token, or a command that prints one, once the server has taken them.

use std::io::{IsTerminal, Read};

use crate::api::{Api, credential::Credential};
use crate::args::{Global, Login};
use crate::config::{self, Kept};
use crate::failure::{Failure, Result};
use crate::upload::base::no_quayside;

/// More than any token has.
const MAX_TOKEN_BYTES: u64 = 16 * 1024;

pub(crate) async fn run(global: &Global, login: &Login) -> Result<u8> {
    let token_command = global.token_command.clone().filter(|command| !command.is_empty());
    let token = match (&token_command, &global.token) {
        (Some(_), _) => None,
        (None, Some(token)) => Some(token.trim().to_owned()),
        (None, None) => Some(asked_for()?),
    };
    let token = token.filter(|token| !token.is_empty());
    let credential = match &token_command {
        Some(command) => Credential::printed_by(command).await?,
        None => Credential::given(token.clone())?,
    };
    let api = Api::new(&login.url, credential)?;
    // Whether it is Quayside, and takes the token.
    if let Err(refusal) = api.open_uploads(None).await {
        return Err(if refusal.is_strangers() {
            no_quayside(api.endpoint(), &refusal.message)
        } else {
            Failure::from(refusal)
        });
    }
    let path = config::keep(global, &Kept { endpoint: Some(api.endpoint().to_owned()), token, token_command })?;
    crate::tell::tell(format_args!("Kept in {}, which only you may read.", path.display()));
    Ok(0)
}

/// The token, not shown where it is typed; empty where the server wants none.
fn asked_for() -> Result<String> {
    let failed = |error: std::io::Error| Failure::usage(format!("No token could be read: {error}."));
    if std::io::stdin().is_terminal() {
        let terminal = console::Term::stderr();
        terminal.write_str("Token (empty where the server wants none): ").map_err(failed)?;
        return terminal.read_secure_line().map(|text| text.trim().to_owned()).map_err(failed);
    }
    let mut text = String::new();
    std::io::stdin().lock().take(MAX_TOKEN_BYTES).read_to_string(&mut text).map_err(failed)?;
    Ok(text.trim().to_owned())
}
