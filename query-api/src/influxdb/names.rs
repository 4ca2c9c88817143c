//! How the names of line protocol become names of ours. Each has its own, and what was sent can be read off it again, unless
//! it was so long that it ends in a hash.

use std::fmt::Write as _;

use schemas::{
    FieldName, SourceName, limits,
    name::{EntityId, EntityType},
};
use sha2::{Digest, Sha256};

/// Hexadecimal digits of the hash at the end of a name that was too long.
const HASH: usize = 16;

/// The type of a measurement: what a type may not hold stands there as `:` and two hexadecimal digits a byte, a colon too.
/// One that would then begin with a colon has an underline before it.
pub(super) fn entity_type(measurement: &str) -> Option<EntityType> {
    let mut name = String::with_capacity(measurement.len());
    for (place, byte) in measurement.bytes().enumerate() {
        let is_plain = byte.is_ascii_alphanumeric() || byte == b'_';
        if is_plain || (place > 0 && b".-".contains(&byte)) {
            name.push(char::from(byte));
        } else {
            let _written = write!(name, ":{byte:02X}");
        }
    }
    if name.starts_with("_:") {
        // an underline that was sent is not the one that is put before
        name.replace_range(..1, ":5F");
    }
    if name.starts_with(':') {
        name.insert(0, '_');
    }
    EntityType::new(bounded(name, limits::ENTITY_TYPE, '.')).ok()
}

/// The name of a field or tag: control characters and `%` stand there as `%` and two hexadecimal digits.
pub(super) fn field_name(sent: &str) -> Option<FieldName> {
    FieldName::new(bounded(escaped(sent), limits::FIELD_NAME, '~')).ok()
}

/// The id of what some tags, sorted by their names, are: `host=nas,name=eth0`, with a backslash before what would be taken
/// for a comma or an equals sign between them. A tag `id` alone is the id, as points of Homelog's own have it; what has no
/// tags is called as its source.
pub(super) fn entity_id(tags: &[(&str, &str)], source: &SourceName) -> Option<EntityId> {
    let id = match tags {
        [] => source.as_str().to_owned(),
        [("id", id)] => escaped(id),
        tags => {
            let mut id = String::new();
            for (name, value) in tags {
                if !id.is_empty() {
                    id.push(',');
                }
                separated(name, &mut id);
                id.push('=');
                separated(value, &mut id);
            }
            id
        }
    };
    EntityId::new(bounded(id, limits::ENTITY_ID, '~')).ok()
}

/// A name of a source from the name of a token, which is any text.
pub(super) fn source_of(token: &str) -> Option<SourceName> {
    let mut name: String = token
        .trim()
        .chars()
        .map(|c| {
            let fits = c.is_ascii_alphanumeric() || "._-".contains(c);
            if fits { c } else { '-' }
        })
        .take(limits::SOURCE_NAME)
        .collect();
    while name.starts_with(['-', '.']) {
        name.remove(0);
    }
    SourceName::new(name.trim_end_matches('-')).ok()
}

fn separated(text: &str, id: &mut String) {
    for c in text.chars() {
        match c {
            '\\' | ',' | '=' => id.extend(['\\', c]),
            c if c.is_control() => id.extend(c.escape_unicode()),
            c => id.push(c),
        }
    }
}

fn escaped(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '%' || c.is_control() {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                let _written = write!(name, "%{byte:02X}");
            }
        } else {
            name.push(c);
        }
    }
    name
}

/// Cuts what is too long and puts a hash of all of it at the end, so that two stay two.
fn bounded(mut name: String, most: usize, before: char) -> String {
    if name.len() <= most {
        return name;
    }
    let hash = Sha256::digest(name.as_bytes());
    let room = most - HASH - before.len_utf8();
    let end = (0..=room).rev().find(|end| name.is_char_boundary(*end));
    name.truncate(end.unwrap_or(0));
    name.push(before);
    for byte in hash.iter().take(HASH / 2) {
        let _written = write!(name, "{byte:02x}");
    }
    name
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes_behind(name: &str, mark: u8) -> String {
        let bytes = name.as_bytes();
        let mut sent = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            if bytes[at] == mark {
                sent.push(u8::from_str_radix(&name[at + 1..at + 3], 16).unwrap());
                at += 3;
            } else {
                sent.push(bytes[at]);
                at += 1;
            }
        }
        String::from_utf8(sent).unwrap()
    }

    /// Reads a measurement off its type.
    fn measurement(name: &str) -> String {
        bytes_behind(
            name.strip_prefix('_')
                .filter(|rest| rest.starts_with(':'))
                .unwrap_or(name),
            b':',
        )
    }

    #[test]
    fn measurements_become_types_that_a_person_can_read() {
        for (sent, name) in [
            ("cpu", "cpu"),
            ("docker_container_cpu", "docker_container_cpu"),
            ("sensor.room-1", "sensor.room-1"),
            ("°C", "_:C2:B0C"),
            ("%", "_:25"),
            ("_%", "_:5F:25"),
            ("km/h", "km:2Fh"),
            ("a b", "a:20b"),
            (".x", "_:2Ex"),
            ("a:b", "a:3Ab"),
        ] {
            assert_eq!(entity_type(sent).unwrap().as_str(), name);
            assert_eq!(measurement(name), sent);
        }
    }

    #[test]
    fn tags_are_the_id() {
        let source = SourceName::new("lab").unwrap();
        for (tags, id) in [
            (&[][..], "lab"),
            (&[("id", "web,1=a")][..], "web,1=a"),
            (&[("cpu", "cpu0"), ("host", "nas")][..], "cpu=cpu0,host=nas"),
            (&[("a", "1,b=2")][..], "a=1\\,b\\=2"),
            (&[("host", "x"), ("id", "1")][..], "host=x,id=1"),
        ] {
            assert_eq!(entity_id(tags, &source).unwrap().as_str(), id);
        }
        let long = |end: &str| {
            let path = format!("{}{end}", "ü".repeat(300));
            entity_id(&[("path", &path)], &source).unwrap()
        };
        assert!(long("1").as_str().len() <= limits::ENTITY_ID);
        assert!(long("1").as_str().starts_with("path=üü"));
        assert_eq!(long("1"), long("1"));
        assert_ne!(long("1"), long("2"));
    }

    #[test]
    fn a_token_gives_its_name() {
        for (token, source) in [
            ("telegraf", Some("telegraf")),
            ("Telegraf on nas 1", Some("Telegraf-on-nas-1")),
            (" -für HA- ", Some("f-r-HA")),
            ("…", None),
        ] {
            assert_eq!(
                source_of(token).as_ref().map(SourceName::as_str),
                source,
                "{token}"
            );
        }
    }

    proptest! {
        #[test]
        fn what_was_sent_can_be_read_off_again(sent in "[ -~°_:.%]{1,12}") {
            let name = entity_type(&sent).unwrap();
            prop_assert_eq!(measurement(name.as_str()), sent.clone());
            let name = field_name(&sent).unwrap();
            prop_assert_eq!(bytes_behind(name.as_str(), b'%'), sent);
        }

        #[test]
        fn whatever_is_sent_has_a_name(sent in "(?s).{1,400}") {
            prop_assert!(entity_type(&sent).is_some());
            prop_assert!(field_name(&sent).is_some());
            let source = SourceName::new("lab").unwrap();
            prop_assert!(entity_id(&[("id", &sent)], &source).is_some());
            prop_assert!(entity_id(&[("a", &sent), ("b", &sent)], &source).is_some());
        }
    }
}
