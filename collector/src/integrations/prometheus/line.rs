//! One line of the text that Prometheus scrapes.

use std::borrow::Cow;

/// Most labels of a series.
const MOST_LABELS: usize = 64;
/// Longest line, in bytes.
const MOST_BYTES: usize = 64 * 1024;

/// Names and values.
pub(super) type Labels<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// What a line says.
#[derive(Debug, PartialEq)]
pub(super) enum Line<'a> {
    /// Nothing that is needed: an empty line, a comment, a help text, a unit.
    Nothing,
    /// The type of a family of metrics.
    Type { family: Cow<'a, str>, kind: &'a str },
    /// The end of the text, as `OpenMetrics` has it.
    End,
    /// A value.
    Sample(Sample<'a>),
}

/// One value of one series.
#[derive(Debug, PartialEq)]
pub(super) struct Sample<'a> {
    pub(super) name: Cow<'a, str>,
    /// In the order of their names; an empty one is as if it were not there.
    pub(super) labels: Labels<'a>,
    /// Perhaps not finite.
    pub(super) value: f64,
}

impl Sample<'_> {
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.labels
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| &**value)
    }
}

/// Reads a line; `None` if it is garbled.
pub(super) fn read(line: &str) -> Option<Line<'_>> {
    if line.len() > MOST_BYTES {
        return None;
    }
    let line = line.trim_matches([' ', '\t', '\r']);
    if line.is_empty() {
        return Some(Line::Nothing);
    }
    match line.strip_prefix('#') {
        Some(comment) => Some(read_comment(comment)),
        None => read_sample(line).map(Line::Sample),
    }
}

fn read_comment(comment: &str) -> Line<'_> {
    let said = comment.trim_start_matches([' ', '\t']);
    if said == "EOF" {
        return Line::End;
    }
    let typed = said
        .strip_prefix("TYPE")
        .filter(|rest| rest.starts_with([' ', '\t']))
        .and_then(|rest| {
            let rest = rest.trim_start_matches([' ', '\t']);
            let (family, kind) = if rest.starts_with('"') {
                quoted(rest)?
            } else {
                let (family, kind) = rest.split_once([' ', '\t'])?;
                (Cow::Borrowed(family), kind)
            };
            let kind = kind.trim_matches([' ', '\t']);
            Some(Line::Type { family, kind })
        });
    typed.unwrap_or(Line::Nothing)
}

fn read_sample(line: &str) -> Option<Sample<'_>> {
    let end = line.find(|c| !is_of_name(c)).unwrap_or(line.len());
    let (plain, mut rest) = line.split_at_checked(end)?;
    if plain.starts_with(|c: char| !c.is_ascii_alphabetic() && !matches!(c, '_' | ':')) {
        return None;
    }
    let mut name = (!plain.is_empty()).then_some(Cow::Borrowed(plain));
    let mut labels: Labels<'_> = Vec::new();
    rest = rest.trim_start_matches([' ', '\t']);
    if let Some(inside) = rest.strip_prefix('{') {
        rest = read_labels(inside, &mut name, &mut labels)?;
    } else if rest.len() == line.len() - end {
        // neither a blank nor a brace behind the name
        return None;
    }
    let name = name?;
    // behind `#` stands an exemplar
    let numbers = rest.split_once('#').map_or(rest, |(numbers, _)| numbers);
    let mut numbers = numbers.split_ascii_whitespace();
    let value = number(numbers.next()?)?;
    // a timestamp is not used: a sample carries the time of its scrape
    if let Some(timestamp) = numbers.next() {
        number(timestamp)?;
    }
    if numbers.next().is_some() {
        return None;
    }
    labels.sort_by(|(a, _), (b, _)| a.cmp(b));
    let all = labels.len();
    labels.dedup_by(|(a, _), (b, _)| a == b);
    if labels.len() < all {
        return None;
    }
    labels.retain(|(_, value)| !value.is_empty());
    Some(Sample {
        name,
        labels,
        value,
    })
}

const fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '.' | '-')
}

/// Reads what stands behind `{`, up to and with `}`, and returns the rest. A quoted text alone is the name of the metric.
fn read_labels<'a>(
    mut rest: &'a str,
    name: &mut Option<Cow<'a, str>>,
    labels: &mut Labels<'a>,
) -> Option<&'a str> {
    let blanks = [' ', '\t'];
    loop {
        rest = rest.trim_start_matches(blanks);
        if let Some(behind) = rest.strip_prefix('}') {
            return Some(behind);
        }
        let is_quoted = rest.starts_with('"');
        let label;
        (label, rest) = if is_quoted {
            quoted(rest)?
        } else {
            let end = rest.find(|c| !is_of_name(c))?;
            let (label, behind) = rest.split_at_checked(end)?;
            (Cow::Borrowed(label), behind)
        };
        if label.is_empty() {
            return None;
        }
        rest = rest.trim_start_matches(blanks);
        if let Some(behind) = rest.strip_prefix('=') {
            let value;
            (value, rest) = quoted(behind.trim_start_matches(blanks))?;
            labels.push((label, value));
            if labels.len() > MOST_LABELS {
                return None;
            }
        } else if name.is_none() && is_quoted {
            *name = Some(label);
        } else {
            return None;
        }
        rest = rest.trim_start_matches(blanks);
        match rest.strip_prefix(',') {
            Some(behind) => rest = behind,
            None if rest.starts_with('}') => {}
            None => return None,
        }
    }
}

/// Reads a text in quotes at the beginning, and returns it and the rest.
fn quoted(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let inside = text.strip_prefix('"')?;
    let end = inside.find(['"', '\\'])?;
    let (plain, rest) = inside.split_at_checked(end)?;
    if let Some(rest) = rest.strip_prefix('"') {
        return Some((Cow::Borrowed(plain), rest));
    }
    let mut read = plain.to_owned();
    let mut chars = rest.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Some((Cow::Owned(read), chars.as_str())),
            '\\' => match chars.next()? {
                'n' => read.push('\n'),
                escaped @ ('"' | '\\') => read.push(escaped),
                other => read.extend(['\\', other]),
            },
            c => read.push(c),
        }
    }
    None
}

/// A number as Go writes and reads it.
fn number(text: &str) -> Option<f64> {
    text.parse().ok().or_else(|| hexadecimal(text))
}

/// `0x1.8p-3`: digits in base 16 and an exponent of two.
fn hexadecimal(text: &str) -> Option<f64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1.0, digits),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"))?;
    let (mantissa, exponent) = digits.split_once(['p', 'P'])?;
    let mut exponent: i32 = exponent.parse().ok()?;
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    // what 13 digits hold is exact
    if whole.len() + part.len() > 13 || whole.is_empty() && part.is_empty() {
        return None;
    }
    let mut value = 0.0;
    for digit in whole.chars().chain(part.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    exponent = exponent.checked_sub(4 * i32::try_from(part.len()).ok()?)?;
    Some(sign * value * 2_f64.powi(exponent))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample(line: &str) -> Sample<'_> {
        match read(line) {
            Some(Line::Sample(sample)) => sample,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn shown(line: &str) -> String {
        let sample = sample(line);
        let labels: Vec<_> = sample
            .labels
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        format!("{} [{}] {}", sample.name, labels.join("|"), sample.value)
    }

    #[test]
    fn samples_are_read_as_they_are_written_and_as_they_are_written_elsewhere() {
        for (line, wanted) in [
            ("up 1", "up [] 1"),
            ("\tup \t 1 \r", "up [] 1"),
            ("up{} 1", "up [] 1"),
            ("up {a=\"b\"}1", "up [a=b] 1"),
            ("a:b_c{x=\"1\",} 2.5 1395066363000", "a:b_c [x=1] 2.5"),
            ("x{ b = \"2\" , a = \"1\" } -3", "x [a=1|b=2] -3"),
            ("x{a=\"}, {\\\"q\\\" # 7\"} 8", "x [a=}, {\"q\" # 7] 8"),
            ("x{a=\"\\\\n\\n\\t\"} 0", "x [a=\\n\n\\t] 0"),
            ("x{gone=\"\",b=\"ü\"} 1e+09", "x [b=ü] 1000000000"),
            ("x_total 8 123.5 # {trace=\"b\"} 0.5 1.2", "x_total [] 8"),
            ("x_bucket{le=\"1\"} 8 # {} 0.5", "x_bucket [le=1] 8"),
            ("{\"my.metric\",l=\"v\"} 1", "my.metric [l=v] 1"),
            ("{l=\"v\",\"a b\"} 1", "a b [l=v] 1"),
            ("x{\"a b\"=\"c\"} 1", "x [a b=c] 1"),
            ("x +Inf", "x [] inf"),
            ("x -Inf", "x [] -inf"),
            ("x NaN", "x [] NaN"),
            ("x 0x1p-3", "x [] 0.125"),
            ("x -0x1.8P1", "x [] -3"),
        ] {
            assert_eq!(shown(line), wanted, "{line}");
        }
    }

    #[test]
    fn garbled_lines_are_none() {
        let long = format!("x{{a=\"{}\"}} 1", "y".repeat(MOST_BYTES));
        let many: Vec<_> = (0..=MOST_LABELS).map(|n| format!("l{n}=\"v\"")).collect();
        let many = format!("x{{{}}} 1", many.join(","));
        for line in [
            "x",
            "x ",
            "x one",
            "x 1 2 3",
            "x 1 soon",
            "x{ 1",
            "x{a} 1",
            "x{a=b} 1",
            "x{a=\"b} 1",
            "x{a=\"b\\\"} 1",
            "x{a=\"b\" c=\"d\"} 1",
            "x{a=\"1\",a=\"2\"} 1",
            "x{,} 1",
            "x{=\"1\"} 1",
            "x}1",
            "x,1",
            "7 1",
            "{} 1",
            "{a} 1",
            "-x 1",
            "{a=\"b\"} 1",
            "{\"\"} 1",
            "<html> 1",
            "x 0x",
            "x 0xp1",
            "x 0x1p",
            "x 0x1p99999999999",
            &long,
            &many,
        ] {
            assert_eq!(read(line), None, "{line}");
        }
    }

    #[test]
    fn comments_tell_types_and_the_end() {
        let typed = |family: &'static str, kind: &'static str| {
            Some(Line::Type {
                family: family.into(),
                kind,
            })
        };
        for (line, wanted) in [
            ("# TYPE x counter", typed("x", "counter")),
            ("#\tTYPE  x \t gauge ", typed("x", "gauge")),
            ("# TYPE \"a b\" summary", typed("a b", "summary")),
            ("# TYPE x", Some(Line::Nothing)),
            ("# TYPED x counter", Some(Line::Nothing)),
            ("# HELP x it \\n helps", Some(Line::Nothing)),
            ("# UNIT x seconds", Some(Line::Nothing)),
            ("#", Some(Line::Nothing)),
            ("", Some(Line::Nothing)),
            ("# EOF", Some(Line::End)),
            ("# EOF here", Some(Line::Nothing)),
        ] {
            assert_eq!(read(line), wanted, "{line}");
        }
    }

    fn escaped(text: &str) -> String {
        text.replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n")
    }

    proptest! {
        #[test]
        fn no_line_is_too_much(line in any::<String>(), more in "[a-z{}=\",\\\\# \t0-9.eE+x-]{0,60}") {
            read(&line);
            read(&more);
        }

        #[test]
        fn what_is_written_comes_back(
            name in "[a-zA-Z_:][a-zA-Z0-9_:]{0,20}",
            labels in proptest::collection::btree_map("[a-zA-Z_][a-zA-Z0-9_]{0,8}", any::<String>(), 0..8),
            value in any::<f64>(),
            time in proptest::option::of(any::<i64>()),
            exemplar in any::<bool>(),
        ) {
            let inside: Vec<_> = labels.iter().map(|(k, v)| format!("{k}=\"{}\"", escaped(v))).collect();
            let mut line = format!("{name}{{{}}} {value:?}", inside.join(","));
            if let Some(time) = time {
                line.extend([" ", &time.to_string()]);
            }
            if exemplar {
                line.push_str(" # {trace_id=\"a#b\"} 0.67 1520879607.789");
            }
            let Some(Line::Sample(read)) = read(&line) else {
                panic!("{line}");
            };
            prop_assert_eq!(&*read.name, &name);
            prop_assert!(read.value.to_bits() == value.to_bits() || read.value.is_nan() && value.is_nan());
            let kept: Vec<_> = read.labels.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
            let wanted: Vec<_> = labels.into_iter().filter(|(_, v)| !v.is_empty()).collect();
            prop_assert_eq!(kept, wanted);
        }

        #[test]
        fn hexadecimal_numbers_are_exact(whole in 0_u32.., exponent in -60_i32..60) {
            let text = format!("0x{whole:x}p{exponent}");
            prop_assert_eq!(number(&text), Some(f64::from(whole) * 2_f64.powi(exponent)));
        }
    }
}
