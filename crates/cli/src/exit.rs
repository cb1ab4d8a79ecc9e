//! How a command ends. The codes are documented in `docs/cli.md`.

use std::fmt;

use serde_json::{Value, json};

/// Why a command failed, and with which exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
    /// The API's own stable code, where it refused.
    problem: Option<String>,
    /// What to do about it, where that takes more than a sentence.
    help: Option<String>,
}

impl Failure {
    fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), problem: None, help: None }
    }

    /// 1: something went wrong.
    pub(crate) fn error(message: impl Into<String>) -> Self {
        Self::new(1, message)
    }

    /// 2: called wrongly.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(2, message)
    }

    /// 3: the server refused.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(3, message)
    }

    /// 4: the server cannot be reached.
    pub(crate) fn unreachable(message: impl Into<String>) -> Self {
        Self::new(4, message)
    }

    /// 5: a check came out negative: findings in rules, a failed test, evidence that does not verify.
    pub(crate) fn negative(message: impl Into<String>) -> Self {
        Self::new(5, message)
    }

    /// Adds the API's stable code.
    pub(crate) fn with_problem(mut self, code: String) -> Self {
        self.problem = Some(code);
        self
    }

    /// Adds what to do about it.
    pub(crate) fn with_help(mut self, help: String) -> Self {
        self.help = Some(help);
        self
    }

    /// The API's stable code, where it refused.
    pub(crate) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// What `--json` prints to standard error.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "error": self.message, "exit_code": self.code, "code": self.problem,
            "help": self.help,
        })
    }

    /// The exit code.
    pub(crate) const fn code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(code) = &self.problem {
            write!(f, " [{code}]")?;
        }
        self.help.as_ref().map_or(Ok(()), |help| write!(f, "\n{help}"))
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::error(format!("{error:#}"))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::error(error.to_string())
    }
}
