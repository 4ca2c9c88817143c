//! One line of the protocol: words, of which those with spaces stand in quotes.

/// Most words of a line; no answer has more than four.
const MOST_WORDS: usize = 16;

/// Splits a line. Within quotes a backslash takes away the meaning of the next character.
///
/// Nothing comes back where a quote is not closed, or for too many words.
pub(super) fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = line.chars();
    loop {
        let first = loop {
            match rest.next() {
                None => return Some(words),
                Some(c) if c.is_whitespace() => {}
                Some(c) => break c,
            }
        };
        let mut word = String::new();
        if first == '"' {
            loop {
                match rest.next()? {
                    '"' => break,
                    '\\' => word.push(rest.next()?),
                    c => word.push(c),
                }
            }
        } else {
            word.push(first);
            for c in rest.by_ref() {
                if c.is_whitespace() {
                    break;
                }
                word.push(c);
            }
        }
        if words.len() >= MOST_WORDS {
            return None;
        }
        words.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_words_together() {
        for (line, expected) in [
            ("", &[][..]),
            ("  OK  ", &["OK"]),
            (
                "VAR su700 ups.mfr \"APC\"",
                &["VAR", "su700", "ups.mfr", "APC"],
            ),
            (
                r#"UPS a "The \"best\" \\ one""#,
                &["UPS", "a", r#"The "best" \ one"#],
            ),
            ("VAR a b \"\"", &["VAR", "a", "b", ""]),
        ] {
            assert_eq!(words(line).unwrap(), expected, "{line}");
        }
        for broken in [
            "VAR a \"b",
            "VAR a \"b\\",
            "\"",
            &"x ".repeat(MOST_WORDS + 1),
        ] {
            assert_eq!(words(broken), None, "{broken}");
        }
    }
}
