/// Passwords of ten characters and more that head the lists of leaked ones and are not made by the rules below.
const COMMON: &str = include_str!("common.txt");

/// Words that are common passwords with a year, digits or signs around them.
const WORDS: &str = include_str!("words.txt");

/// Rows that fingers walk along.
const ROWS: &[&str] = &[
    "abcdefghijklmnopqrstuvwxyz",
    "0123456789",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
];

/// Most characters that are taken for decoration of a common word.
const EDGES: usize = 8;

/// The text without digits and signs before and after its letters.
pub(super) fn without_edges(text: &str) -> &str {
    text.trim_matches(|c: char| !c.is_alphabetic())
}

/// Whether a password, in small letters, is among the first that are tried.
pub(super) fn is_common(lower: &str) -> bool {
    let plain = unleet(lower);
    [lower, &plain]
        .iter()
        .any(|text| listed(text) || repeats(text) || walks(text) || decorated(text))
}

/// `p@ssw0rd` is `password`; digits at the end stay, since they are decoration.
fn unleet(text: &str) -> String {
    let letters = text
        .trim_end_matches(|c: char| !c.is_alphabetic())
        .chars()
        .count();
    text.chars()
        .enumerate()
        .map(|(i, c)| match c {
            _ if i >= letters => c,
            '@' | '4' => 'a',
            '0' => 'o',
            '3' => 'e',
            '$' | '5' => 's',
            '1' | '!' => 'i',
            '7' => 't',
            other => other,
        })
        .collect()
}

fn listed(text: &str) -> bool {
    COMMON.split_whitespace().any(|known| known == text)
}

/// A short part again and again: `abcabcabcabc`.
fn repeats(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    (1..=4).any(|n| {
        chars.len() >= n * 3 && chars.iter().zip(chars.iter().skip(n)).all(|(a, b)| a == b)
    })
}

/// A row of the alphabet or the keyboard, forwards or backwards.
fn walks(text: &str) -> bool {
    let back: String = text.chars().rev().collect();
    ROWS.iter().any(|row| {
        let twice = row.repeat(2);
        twice.contains(text) || twice.contains(&back)
    })
}

/// A common word, or two, with little around it.
fn decorated(text: &str) -> bool {
    let core = without_edges(text);
    if text.chars().count() - core.chars().count() > EDGES {
        return false;
    }
    let known = |word: &str| WORDS.split_whitespace().any(|known| known == word);
    known(core)
        || core.char_indices().skip(1).any(|(i, _)| {
            let (a, b) = core.split_at(i);
            known(a) && known(b)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_in_the_form_that_is_looked_up() {
        for list in [COMMON, WORDS] {
            assert!(list.split_whitespace().count() > 150);
            assert_eq!(list.to_lowercase(), list);
        }
    }

    #[test]
    fn the_rules_find_their_kind() {
        assert!(listed("california"));
        assert!(repeats("ababab") && !repeats("abcdef"));
        assert!(walks("lkjhgf") && walks("89012") && !walks("lkjhgg"));
        assert!(decorated("admin!2026") && decorated("secretadmin1"));
        assert!(
            !decorated("admin8401759263"),
            "many digits are not decoration"
        );
    }
}
