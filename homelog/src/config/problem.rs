//! What is wrong with a configuration, where, and what to do.

use std::{
    fmt::{self, Write},
    ops::Range,
};

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, NamedSource,
    SourceCode, SourceSpan, SpanContents,
};

/// Where a value stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// In the file, as a range of bytes.
    File(Range<usize>),
    /// In an environment variable.
    Variable(String),
    /// In none of them: something is missing as a whole.
    Nowhere,
}

/// One mistake.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What, as a fragment without a period.
    pub message: String,
    /// What to do.
    pub fix: String,
}

/// How a report is drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// With colours and lines, for a terminal.
    Fancy,
    /// In plain characters, for a file or a log.
    Plain,
}

/// All mistakes of one configuration.
#[derive(Clone, Debug)]
pub struct Problems {
    name: String,
    text: String,
    list: Vec<Problem>,
}

impl Problems {
    /// Mistakes of a file with that name and text, in the order of the file.
    pub fn new(name: impl Into<String>, text: impl Into<String>, mut list: Vec<Problem>) -> Self {
        list.sort_by_key(|problem| match &problem.place {
            Place::File(range) => (0, range.start),
            Place::Variable(_) => (1, 0),
            Place::Nowhere => (2, 0),
        });
        Self {
            name: name.into(),
            text: text.into(),
            list,
        }
    }

    /// The mistakes.
    pub fn list(&self) -> &[Problem] {
        &self.list
    }

    /// Each in one line, for a log: where, what, and what to do.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.list.iter().map(
            |Problem {
                 place,
                 message,
                 fix,
             }| {
                let at = match place {
                    Place::File(range) => {
                        let before = self.text.get(..range.start).unwrap_or(&self.text);
                        format!("{}:{}", self.name, before.matches('\n').count() + 1)
                    }
                    Place::Variable(name) => format!("environment variable {name}"),
                    Place::Nowhere => self.name.clone(),
                };
                format!("{at}: {message}: {fix}")
            },
        )
    }

    /// All of them as a person reads them, with a last line that counts.
    pub fn render(&self, style: Style) -> String {
        let theme = match style {
            Style::Fancy => GraphicalTheme::unicode(),
            Style::Plain => GraphicalTheme::none(),
        };
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_width(100)
            .with_context_lines(1)
            .with_wrap_lines(false)
            .with_links(false);
        let source = WholeLines(NamedSource::new(&self.name, self.text.clone()));
        let mut out = String::new();
        for problem in &self.list {
            let shown = Shown {
                problem,
                source: &source,
            };
            // writing to a String does not fail; if it did, the plain words are still told
            if handler.render_report(&mut out, &shown).is_err() {
                out.push_str(&problem.message);
            }
            out.push('\n');
        }
        let count = self.list.len();
        let errors = if count == 1 { "error" } else { "errors" };
        // writing to a String does not fail
        let _written = writeln!(out, "{count} {errors} in {}", self.name);
        out
    }
}

/// Shows the whole line on which a mistake stands, and no other.
struct WholeLines(NamedSource<String>);

impl SourceCode for WholeLines {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        _after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        // without context it is asked for line and column of the place
        if before == 0 {
            return self.0.read_span(span, 0, 0);
        }
        let text = self.0.inner();
        let end = span.offset().saturating_add(span.len()).min(text.len());
        let start = span.offset().min(end);
        let line_start = text
            .get(..start)
            .and_then(|before| before.rfind('\n'))
            .map_or(0, |found| found + 1);
        let line_end = text
            .get(end..)
            .and_then(|after| after.find('\n'))
            .map_or(text.len(), |found| end + found);
        self.0.read_span(&(line_start..line_end).into(), 0, 0)
    }
}

struct Shown<'a> {
    problem: &'a Problem,
    source: &'a WholeLines,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem.place {
            Place::Variable(name) => write!(
                f,
                "environment variable {name}: {message}",
                message = self.problem.message
            ),
            Place::File(_) | Place::Nowhere => f.write_str(&self.problem.message),
        }
    }
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.problem.fix))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        matches!(self.problem.place, Place::File(_)).then_some(self.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let Place::File(range) = &self.problem.place else {
            return None;
        };
        let label = LabeledSpan::new_primary_with_span(Some("here".to_owned()), range.clone());
        Some(Box::new(std::iter::once(label)))
    }
}
