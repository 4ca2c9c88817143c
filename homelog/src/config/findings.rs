//! Collects what is wrong while a configuration is read, so that all of it is told at once.

use std::{ops::Range, path::PathBuf};

use super::problem::{Place, Problem};

/// Spans from here on stand for environment variables: no file is as long.
const VARIABLES: usize = usize::MAX / 2;

/// A value that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Fault {
    /// Where it stands.
    pub(super) span: Range<usize>,
    /// What is wrong.
    pub(super) message: String,
    /// What to do.
    pub(super) fix: String,
}

/// What was found so far.
#[derive(Default)]
pub(super) struct Findings {
    list: Vec<Problem>,
    warnings: Vec<String>,
    variables: Vec<String>,
    secrets: Vec<Range<usize>>,
    files: Vec<PathBuf>,
}

/// Whether a span stands for an environment variable.
pub(super) const fn is_variable(span: &Range<usize>) -> bool {
    span.start >= VARIABLES
}

impl Findings {
    /// A span that stands for an environment variable.
    pub(super) fn variable(&mut self, name: &str) -> Range<usize> {
        let at = VARIABLES + self.variables.len();
        self.variables.push(name.to_owned());
        at..at
    }

    /// Where a span stands.
    pub(super) fn place(&self, span: Range<usize>) -> Place {
        match span.start.checked_sub(VARIABLES) {
            None => Place::File(span),
            Some(index) => self
                .variables
                .get(index)
                .map_or(Place::Nowhere, |name| Place::Variable(name.clone())),
        }
    }

    /// Takes a mistake that stands at a span.
    pub(super) fn add(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) {
        let place = self.place(span);
        self.list.push(Problem {
            place,
            message: message.into(),
            fix: fix.into(),
        });
    }

    /// Takes the fault of a value.
    pub(super) fn fault(&mut self, fault: Fault) {
        self.add(fault.span, fault.message, fault.fix);
    }

    /// Remembers where a secret stands, so that no report shows it.
    pub(super) fn hide(&mut self, span: Range<usize>) {
        self.secrets.push(span);
    }

    /// Remembers a file that belongs to the configuration, there or not.
    pub(super) fn file(&mut self, path: PathBuf) {
        self.files.push(path);
    }

    /// All files that were named.
    pub(super) fn take_files(&mut self) -> Vec<PathBuf> {
        std::mem::take(&mut self.files)
    }

    /// The text without the secrets that stand in it, of the same length.
    pub(super) fn without_secrets(&self, text: &str) -> String {
        let mut shown = text.to_owned();
        for span in &self.secrets {
            let Some(secret) = text.get(span.clone()) else {
                continue;
            };
            let hidden: String = secret
                .bytes()
                .map(|byte| match byte {
                    b'"' | b'\'' | b'\n' | b'\r' => char::from(byte),
                    _ => '*',
                })
                .collect();
            shown.replace_range(span.clone(), &hidden);
        }
        shown
    }

    /// Takes what is odd, but no mistake.
    pub(super) fn warn(&mut self, text: String) {
        self.warnings.push(text);
    }

    /// Mistakes and warnings. What stands on a line that is no TOML at all is told once, as that.
    pub(super) fn finish(
        self,
        text: &str,
        syntax: &[toml::de::Error],
    ) -> (Vec<Problem>, Vec<String>) {
        let broken: Vec<Range<usize>> = syntax
            .iter()
            .filter_map(|error| Some(line_around(text, error.span()?.start)))
            .collect();
        let (errors, mut rest) = {
            let mut list = self.list;
            let rest = list.split_off(syntax.len().min(list.len()));
            (list, rest)
        };
        rest.retain(|problem| match &problem.place {
            Place::File(span) => !broken.iter().any(|line| line.contains(&span.start)),
            Place::Variable(_) | Place::Nowhere => true,
        });
        (errors.into_iter().chain(rest).collect(), self.warnings)
    }
}

/// The line in which a byte lies, with its line break.
fn line_around(text: &str, at: usize) -> Range<usize> {
    let at = at.min(text.len());
    let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
    let start = before.rfind('\n').map_or(0, |found| found + 1);
    let end = after.find('\n').map_or(text.len(), |found| at + found + 1);
    start..end
}

/// The same place, or its line where there is nothing to underline.
pub(super) fn visible(text: &str, span: Range<usize>) -> Range<usize> {
    let shown = text.get(span.clone()).unwrap_or_default();
    if !shown.trim().is_empty() {
        return span;
    }
    let line = line_around(text, span.start);
    let content = text.get(line.clone()).unwrap_or_default().trim_end();
    line.start..line.start + content.len()
}
