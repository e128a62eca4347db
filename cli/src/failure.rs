//! Why a command did not do all that it was asked to, and the exit code that says so.

use std::fmt;

use crate::progress::words::plain;

/// What a shell gets as `Result`.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// What kind of failure it is: each has an exit code of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It may work the next time: the same command goes on where this one ended.
    Resumable,
    /// The command line, the settings or the files that it names are wrong.
    Usage,
    /// The server refuses it, and would again.
    Refused,
}

impl Kind {
    /// The exit code.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Resumable => 1,
            Self::Usage => 2,
            Self::Refused => 3,
        }
    }
}

/// A failure, in words for whoever reads the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn resumable(message: impl Into<String>) -> Self {
        Self { kind: Kind::Resumable, message: message.into() }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { kind: Kind::Usage, message: message.into() }
    }

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self { kind: Kind::Refused, message: message.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&plain(&self.message))
    }
}

/// The exit code of several failures: where one of them may work the next time, it is worth to run the command again.
pub(crate) fn exit_code_of(kinds: impl IntoIterator<Item = Kind>) -> u8 {
    let worst = |code: u8, kind: Kind| match (code, kind) {
        (_, Kind::Resumable) => Kind::Resumable.exit_code(),
        (0, kind) => kind.exit_code(),
        (code, _) => code,
    };
    kinds.into_iter().fold(0, worst)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_that_may_pass_makes_it_worth_to_run_the_command_again() {
        assert_eq!(exit_code_of([]), 0);
        assert_eq!(exit_code_of([Kind::Refused]), 3);
        assert_eq!(exit_code_of([Kind::Refused, Kind::Resumable, Kind::Refused]), 1);
        assert_eq!(exit_code_of([Kind::Usage, Kind::Refused]), 2);
    }
}
