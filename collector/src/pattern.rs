//! Names with `*` in them.

use serde::Deserialize;

/// Most patterns of one option.
const MOST: usize = 256;

/// Names; `*` stands for anything, also for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Patterns(Vec<String>);

impl Patterns {
    pub(crate) fn new(patterns: &[&str]) -> Self {
        Self(patterns.iter().map(|&pattern| pattern.to_owned()).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether there are not too many of them.
    pub(crate) fn fits(&self) -> bool {
        self.0.len() <= MOST && self.0.iter().all(|pattern| pattern.len() <= MOST)
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| matches(pattern, name))
    }
}

/// Takes for each `*` as little as goes; only the last one has a choice, so that no pattern takes long.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((beginning, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(beginning) else {
        return false;
    };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*') {
        let Some((_, behind)) = name.split_once(part) else {
            return false;
        };
        name = behind;
    }
    name.ends_with(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_star_stands_for_anything_wherever_it_is() {
        for (pattern, name, wanted) in [
            ("up", "up", true),
            ("up", "upper", false),
            ("", "", true),
            ("*", "", true),
            ("*", "x", true),
            ("go_*", "go_x", true),
            ("go_*", "xgo_x", false),
            ("*_total", "a_total", true),
            ("*_total", "a_totals", false),
            ("a*b*c", "a_b_b_c", true),
            ("a*b*c", "a_c_b", false),
            ("a*a", "a", false),
            ("*b*", "abc", true),
            ("a**c", "ac", true),
            ("*ab*ab*", "xabyab", true),
            ("*ab*ab*", "xab", false),
        ] {
            assert_eq!(matches(pattern, name), wanted, "{pattern} {name}");
        }
    }

    /// The definition, which takes too long for patterns of others.
    fn slowly(pattern: &[u8], name: &[u8]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some((b'*', rest)) => (0..=name.len()).any(|skipped| slowly(rest, &name[skipped..])),
            Some((first, rest)) => name.first() == Some(first) && slowly(rest, &name[1..]),
        }
    }

    proptest! {
        #[test]
        fn quick_and_slow_agree(pattern in "[ab*]{0,8}", name in "[ab]{0,10}") {
            prop_assert_eq!(matches(&pattern, &name), slowly(pattern.as_bytes(), name.as_bytes()));
        }
    }
}
