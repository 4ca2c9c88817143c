use std::{borrow::Cow, fmt, str::FromStr};

use super::{SPECIAL_IN_MEASUREMENT, SPECIAL_IN_NAME, bounds};
use crate::Timestamp;

/// What the number at the end of a line counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// Nanoseconds.
    #[default]
    Nanoseconds,
    /// Microseconds.
    Microseconds,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// Minutes; only version 1 of the write API has them.
    Minutes,
    /// Hours; only version 1 of the write API has them.
    Hours,
}

impl Precision {
    const fn nanoseconds(self) -> i64 {
        match self {
            Self::Nanoseconds => 1,
            Self::Microseconds => 1000,
            Self::Milliseconds => 1_000_000,
            Self::Seconds => 1_000_000_000,
            Self::Minutes => 60_000_000_000,
            Self::Hours => 3_600_000_000_000,
        }
    }
}

impl FromStr for Precision {
    type Err = &'static str;

    /// As the parameter `precision` of both versions of the write API has it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "ns" | "n" | "" => Ok(Self::Nanoseconds),
            "us" | "u" | "µ" => Ok(Self::Microseconds),
            "ms" => Ok(Self::Milliseconds),
            "s" => Ok(Self::Seconds),
            "m" => Ok(Self::Minutes),
            "h" => Ok(Self::Hours),
            _ => Err("precision is one of ns, us, ms, s, m, h"),
        }
    }
}

/// A value as it was written.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// A number without a suffix; finite.
    Float(f64),
    /// A number with the suffix `i`.
    Integer(i64),
    /// A number with the suffix `u`.
    Unsigned(u64),
    /// `t`, `true`, `f`, `false` and so on.
    Flag(bool),
    /// A text in double quotes.
    Text(Cow<'a, str>),
}

/// Name and value of a tag.
pub type Tag<'a> = (Cow<'a, str>, Cow<'a, str>);

/// One point.
#[derive(Debug, Clone, PartialEq)]
pub struct Line<'a> {
    /// Where it begins, from 1.
    pub number: usize,
    /// The measurement.
    pub measurement: Cow<'a, str>,
    /// The tags as they were written; no name comes twice.
    pub tags: Vec<Tag<'a>>,
    /// The fields as they were written, at least one; of those with one name the last counts.
    pub fields: Vec<(Cow<'a, str>, Value<'a>)>,
    /// Unix nanoseconds, if it has a time.
    pub nanoseconds: Option<i64>,
}

impl Line<'_> {
    /// The time in whole milliseconds.
    pub fn time(&self) -> Option<Timestamp> {
        self.nanoseconds
            .map(|ns| Timestamp::from_millis(ns.div_euclid(1_000_000)))
    }
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Nothing where a name must be.
    #[error("a {0} is missing")]
    Missing(&'static str),
    /// Longer than its bound.
    #[error("a {0} is too long")]
    TooLong(&'static str),
    /// More than their bound.
    #[error("there are too many {0}")]
    TooMany(&'static str),
    /// A name or a text that is no UTF-8.
    #[error("the text is not UTF-8")]
    NotUtf8,
    /// A tag that came before.
    #[error("a tag comes twice")]
    DuplicateTag,
    /// A text without its second quote.
    #[error("the text has no end: a double quote is missing")]
    OpenText,
    /// Neither a number nor true or false nor a text.
    #[error(
        "a value must be a number, a number with i or u, true, false or a text in double quotes"
    )]
    Value,
    /// A number that its type cannot hold.
    #[error("the number is out of range")]
    OutOfRange,
    /// A time that is no whole number.
    #[error("the time must be a whole number")]
    Time,
    /// A time outside of 1677 to 2262.
    #[error("the time is out of range; is the precision right?")]
    TimeOutOfRange,
    /// Something behind the time.
    #[error("there is something behind the time")]
    Trailing,
}

/// A line that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineError {
    /// Which line, from 1.
    pub line: usize,
    /// Which byte of it, from 1.
    pub column: usize,
    /// What is wrong there.
    pub reason: Reason,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "line {}, column {}: {}",
            self.line, self.column, self.reason
        )
    }
}

impl std::error::Error for LineError {}

/// Reads lines one by one. After a wrong one it goes on with the next.
#[derive(Debug, Clone)]
pub struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where the current line begins, and which it is.
    begin: usize,
    number: usize,
    precision: Precision,
}

impl<'a> Parser<'a> {
    /// Reads a body.
    pub const fn new(bytes: &'a [u8], precision: Precision) -> Self {
        Self {
            bytes,
            at: 0,
            begin: 0,
            number: 1,
            precision,
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn at_end(&self) -> bool {
        match self.peek() {
            None | Some(b'\n') => true,
            Some(b'\r') => matches!(self.bytes.get(self.at + 1), None | Some(b'\n')),
            Some(_) => false,
        }
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | 0)) {
            self.at += 1;
        }
    }

    /// Behind the end of the line that `at` lies in. A text may have had line ends of its own, so they are counted.
    fn next_line(&mut self) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at = rest
            .iter()
            .position(|&byte| byte == b'\n')
            .map_or(self.bytes.len(), |end| self.at + end + 1);
        let passed = self.bytes.get(self.begin..self.at).unwrap_or_default();
        self.number += line_ends(passed);
        self.begin = self.at;
    }

    fn fail<T>(&self, at: usize, reason: Reason) -> Result<T, LineError> {
        let passed = self.bytes.get(self.begin..at).unwrap_or_default();
        let ends = line_ends(passed);
        let column = passed.iter().rev().take_while(|&&byte| byte != b'\n');
        Err(LineError {
            line: self.number + ends,
            column: column.count() + 1,
            reason,
        })
    }

    /// A name up to an ordinary one of `ends`, a line end or the end.
    fn name(
        &mut self,
        what: &'static str,
        ends: &[u8],
        special: &[u8],
    ) -> Result<Cow<'a, str>, LineError> {
        let start = self.at;
        let mut escapes = false;
        while !self.at_end() {
            let Some(byte) = self.peek() else { break };
            let next = self.bytes.get(self.at + 1);
            if byte == b'\\' && next.is_some_and(|next| special.contains(next)) {
                escapes = true;
                self.at += 2;
            } else if ends.contains(&byte) {
                break;
            } else {
                self.at += 1;
            }
            if self.at - start > bounds::NAME {
                return self.fail(start, Reason::TooLong(what));
            }
        }
        let raw = self.bytes.get(start..self.at).unwrap_or_default();
        if raw.is_empty() {
            return self.fail(start, Reason::Missing(what));
        }
        let Ok(text) = std::str::from_utf8(raw) else {
            return self.fail(start, Reason::NotUtf8);
        };
        Ok(if escapes {
            Cow::Owned(unescaped(text, special))
        } else {
            Cow::Borrowed(text)
        })
    }

    fn line(&mut self) -> Result<Line<'a>, LineError> {
        let number = self.number;
        let measurement = self.name("measurement", b", ", SPECIAL_IN_MEASUREMENT)?;
        let tags = self.tags()?;
        self.blanks();
        let fields = self.fields()?;
        self.blanks();
        let nanoseconds = self.time()?;
        self.blanks();
        if !self.at_end() {
            return self.fail(self.at, Reason::Trailing);
        }
        Ok(Line {
            number,
            measurement,
            tags,
            fields,
            nanoseconds,
        })
    }

    fn tags(&mut self) -> Result<Vec<Tag<'a>>, LineError> {
        let mut tags: Vec<Tag<'a>> = Vec::new();
        while self.peek() == Some(b',') {
            self.at += 1;
            let start = self.at;
            if tags.len() >= bounds::TAGS {
                return self.fail(start, Reason::TooMany("tags"));
            }
            let name = self.name("tag's name", b",= ", SPECIAL_IN_NAME)?;
            if self.peek() != Some(b'=') {
                return self.fail(self.at, Reason::Missing("tag's value"));
            }
            self.at += 1;
            let value = self.name("tag's value", b",= ", SPECIAL_IN_NAME)?;
            if self.peek() == Some(b'=') {
                return self.fail(self.at, Reason::Missing("comma"));
            }
            if tags.iter().any(|(known, _)| *known == name) {
                return self.fail(start, Reason::DuplicateTag);
            }
            tags.push((name, value));
        }
        Ok(tags)
    }

    fn fields(&mut self) -> Result<Vec<(Cow<'a, str>, Value<'a>)>, LineError> {
        let mut fields = Vec::new();
        loop {
            if fields.len() >= bounds::FIELDS {
                return self.fail(self.at, Reason::TooMany("fields"));
            }
            let what = if fields.is_empty() {
                "field"
            } else {
                "field's name"
            };
            let name = self.name(what, b",= ", SPECIAL_IN_NAME)?;
            if self.peek() != Some(b'=') {
                return self.fail(self.at, Reason::Missing("field's value"));
            }
            self.at += 1;
            fields.push((name, self.value()?));
            if self.peek() != Some(b',') {
                return Ok(fields);
            }
            self.at += 1;
        }
    }

    fn value(&mut self) -> Result<Value<'a>, LineError> {
        if self.peek() == Some(b'"') {
            return self.text();
        }
        let start = self.at;
        while !self.at_end() && !matches!(self.peek(), Some(b',' | b' ' | b'\t')) {
            self.at += 1;
        }
        let word = self.bytes.get(start..self.at).unwrap_or_default();
        if word.is_empty() {
            return self.fail(start, Reason::Missing("field's value"));
        }
        match word_value(word) {
            Ok(value) => Ok(value),
            Err(reason) => self.fail(start, reason),
        }
    }

    /// A text in double quotes; it may have line ends.
    fn text(&mut self) -> Result<Value<'a>, LineError> {
        let quote = self.at;
        self.at += 1;
        let start = self.at;
        let mut escapes = false;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') if matches!(self.bytes.get(self.at + 1), Some(b'"' | b'\\')) => {
                    escapes = true;
                    self.at += 2;
                }
                Some(_) => self.at += 1,
                None => {
                    // the next line is looked for behind the quote, or one quote would swallow all that follow
                    self.at = start;
                    return self.fail(quote, Reason::OpenText);
                }
            }
            if self.at - start > bounds::TEXT {
                self.at = start;
                return self.fail(quote, Reason::TooLong("text"));
            }
        }
        let raw = self.bytes.get(start..self.at).unwrap_or_default();
        self.at += 1;
        let Ok(text) = std::str::from_utf8(raw) else {
            return self.fail(start, Reason::NotUtf8);
        };
        if !self.at_end() && !matches!(self.peek(), Some(b',' | b' ' | b'\t')) {
            return self.fail(self.at, Reason::Missing("comma"));
        }
        Ok(Value::Text(if escapes {
            Cow::Owned(unescaped(text, b"\"\\"))
        } else {
            Cow::Borrowed(text)
        }))
    }

    fn time(&mut self) -> Result<Option<i64>, LineError> {
        if self.at_end() {
            return Ok(None);
        }
        let start = self.at;
        while !self.at_end() && !matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
        let word = self.bytes.get(start..self.at).unwrap_or_default();
        let digits = word.strip_prefix(b"-").unwrap_or(word);
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return self.fail(start, Reason::Time);
        }
        let time = std::str::from_utf8(word)
            .ok()
            .and_then(|word| word.parse::<i64>().ok())
            .and_then(|time| time.checked_mul(self.precision.nanoseconds()));
        match time {
            Some(time) => Ok(Some(time)),
            None => self.fail(start, Reason::TimeOutOfRange),
        }
    }
}

impl<'a> Iterator for Parser<'a> {
    type Item = Result<Line<'a>, LineError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.blanks();
            if self.at >= self.bytes.len() {
                return None;
            }
            if self.at_end() || self.peek() == Some(b'#') {
                self.next_line();
                continue;
            }
            let mut line = self.line();
            if line.is_ok() && self.at - self.begin > bounds::LINE {
                line = self.fail(self.begin, Reason::TooLong("line"));
            }
            self.next_line();
            return Some(line);
        }
    }
}

#[expect(
    clippy::naive_bytecount,
    reason = "lines are short, and a library for it costs more than it saves"
)]
fn line_ends(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| byte == b'\n').count()
}

fn unescaped(text: &str, special: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, from)) = rest.split_once('\\') {
        out.push_str(plain);
        let next = from.chars().next();
        if let Some(c) = next.filter(|c| u8::try_from(*c).is_ok_and(|byte| special.contains(&byte)))
        {
            out.push(c);
            rest = from.get(1..).unwrap_or_default();
        } else {
            out.push('\\');
            rest = from;
        }
    }
    out.push_str(rest);
    out
}

fn word_value<'a>(word: &[u8]) -> Result<Value<'a>, Reason> {
    match word {
        b"t" | b"T" | b"true" | b"True" | b"TRUE" => return Ok(Value::Flag(true)),
        b"f" | b"F" | b"false" | b"False" | b"FALSE" => return Ok(Value::Flag(false)),
        _ => {}
    }
    let word = std::str::from_utf8(word).map_err(|_| Reason::Value)?;
    let digits = |text: &str| {
        let text = text.strip_prefix(['-', '+']).unwrap_or(text);
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if let Some(number) = word.strip_suffix('i').filter(|number| digits(number)) {
        return number
            .parse()
            .map(Value::Integer)
            .map_err(|_| Reason::OutOfRange);
    }
    if let Some(number) = word.strip_suffix('u').filter(|number| digits(number)) {
        return number
            .parse()
            .map(Value::Unsigned)
            .map_err(|_| Reason::OutOfRange);
    }
    // no `nan`, `inf` or `infinity`, which Rust would read
    let numeric = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    let number: f64 = word
        .bytes()
        .all(numeric)
        .then(|| word.parse().ok())
        .flatten()
        .ok_or(Reason::Value)?;
    if number.is_finite() {
        Ok(Value::Float(number))
    } else {
        Err(Reason::OutOfRange)
    }
}
