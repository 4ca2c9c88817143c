//! The integrations that exist.

use crate::integration::Registration;

/// One name for each file beside this one; sorted.
macro_rules! integrations {
    ($($module:ident),+ $(,)?) => {
        $(mod $module;)+

        static ALL: &[&dyn Registration] = &[$(&$module::INTEGRATION),+];
    };
}

integrations! {
    docker, home_assistant, host, http_check, http_json, nut, pihole, prometheus, proxmox, qnap, smart, synology
}

pub(crate) use docker::{Docker, Params as DockerParams};
pub(crate) use host::{Host, Params as HostParams};

/// All of them, by kind.
pub fn all() -> &'static [&'static dyn Registration] {
    ALL
}

/// The one of a kind.
pub fn find(kind: &str) -> Option<&'static dyn Registration> {
    ALL.iter().copied().find(|known| known.kind() == kind)
}

/// How each of them reads an answer that was recorded.
#[cfg(test)]
pub(crate) mod recorded {
    pub(crate) use super::{
        docker::tests::recorded::read as docker,
        home_assistant::tests::recorded::read as home_assistant, nut::tests::recorded::read as nut,
        pihole::tests::recorded::read as pihole, prometheus::tests::recorded::read as prometheus,
        proxmox::tests::recorded::read as proxmox, qnap::tests::recorded::read as qnap,
        smart::tests::recorded::read as smart, synology::tests::recorded::read as synology,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_unique_and_sorted() {
        let kinds: Vec<_> = all().iter().map(|known| known.kind()).collect();
        assert!(kinds.is_sorted_by(|a, b| a < b), "{kinds:?}");
    }

    #[test]
    fn every_example_is_read_by_its_integration() {
        for known in all() {
            let options: String = known
                .example()
                .lines()
                .filter_map(|line| line.strip_prefix("# "))
                .filter(|line| {
                    line.split_once(" = ").is_some_and(|(key, _)| {
                        key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
                    })
                })
                .flat_map(|line| [line, "\n"])
                .collect();
            let table: toml::Table = options.parse().unwrap();
            let named = known.parse(table).unwrap_or_else(|e| {
                panic!(
                    "the example of {} is refused at `{}`: {e}\n{options}",
                    known.kind(),
                    e.key
                )
            });
            assert_eq!(named.kind().as_str(), known.kind());
        }
    }

    #[test]
    fn a_wrong_option_is_named_with_its_key() {
        for known in all() {
            let refused = |text: &str| {
                known
                    .parse(text.parse::<toml::Table>().unwrap())
                    .unwrap_err()
            };
            let unknown = refused("colour = \"red\"");
            assert_eq!(unknown.key, "colour", "{unknown}");
            assert!(unknown.message.contains("unknown field"), "{unknown}");
        }
        let wrong = find("docker")
            .unwrap()
            .parse("url = 7".parse().unwrap())
            .unwrap_err();
        assert_eq!(wrong.key, "url", "{wrong}");
        assert!(wrong.message.contains("expected a string"), "{wrong}");
    }
}
