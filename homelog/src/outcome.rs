//! How a command ends.

use std::process::ExitCode;

/// Why a command did not do what it was asked for.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Wrong use or config: exit code 64. The text is complete and is printed as it stands.
    Usage(String),
    /// It failed: exit code 1.
    Failed(anyhow::Error),
    /// It failed and everything was said already: exit code 1.
    Told,
}

impl Failure {
    /// Wrong use.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    /// The exit code of the process.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(64),
            Self::Failed(_) | Self::Told => ExitCode::FAILURE,
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}
