/// Names to leave out; `*` at the end stands for anything.
#[derive(Debug, Clone, Default)]
pub(super) struct Patterns(Vec<String>);

impl Patterns {
    pub(super) fn new(patterns: Vec<String>) -> Self {
        Self(patterns)
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        self.0
            .iter()
            .any(|pattern| match pattern.strip_suffix('*') {
                Some(beginning) => name.starts_with(beginning),
                None => name == pattern,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_at_the_end_stands_for_anything() {
        let patterns = Patterns::new(vec!["lo".to_owned(), "veth*".to_owned()]);
        for (name, ignored) in [
            ("lo", true),
            ("lo1", false),
            ("veth", true),
            ("veth3f", true),
            ("eth0", false),
        ] {
            assert_eq!(patterns.matches(name), ignored, "{name}");
        }
    }
}
