//! "Did you mean".

/// The name that was probably meant, if one is near enough.
fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    within(written, known, |name| 1 + name.len() / 4)
}

/// The nearest name of those that are so many slips away at most.
pub(super) fn within<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
    slips: impl Fn(&str) -> usize,
) -> Option<&'a str> {
    // a longer text is no slip of the finger, and comparing takes the product of both lengths
    if written.len() > 256 {
        return None;
    }
    let written = written.to_lowercase();
    known
        .into_iter()
        .map(|name| {
            (
                strsim::damerau_levenshtein(&written, &name.to_lowercase()),
                name,
            )
        })
        .filter(|(distance, name)| *distance <= slips(name))
        .min()
        .map(|(_, name)| name)
}

/// `a`, `b` or `c`.
pub(super) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match (names.pop(), names.as_slice()) {
        (None, _) => "nothing".to_owned(),
        (Some(only), []) => only,
        (Some(last), rest) => format!("{} or {last}", rest.join(", ")),
    }
}

/// What to do about a name that is not known.
pub(super) fn fix<'a>(written: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(written, known.clone()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("there is {}", list(known)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_name() {
        let known = ["listen", "hosts", "metrics_from"];
        assert_eq!(nearest("lisen", known), Some("listen"));
        assert_eq!(nearest("Hosts", known), Some("hosts"));
        assert_eq!(nearest("metric_form", known), Some("metrics_from"));
        assert_eq!(nearest("brokers", known), None);
        assert_eq!(
            fix("zzzzzz", known),
            "there is `listen`, `hosts` or `metrics_from`"
        );
    }
}
