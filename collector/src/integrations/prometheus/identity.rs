//! The id of the entity that some labels are.

use schemas::limits;

use crate::backoff::seed_of;

/// Bytes of an id that is cut, before the hash of all of it.
const CUT: usize = 230;

/// `device=sda,mode=idle`; nothing of no labels. Different labels have different ids: what would be taken for a comma or an
/// equals sign between them has a backslash before it, and what is too long ends in a hash of all of it.
pub(super) fn identity(labels: &[(&str, &str)]) -> Option<String> {
    if labels.is_empty() {
        return None;
    }
    let mut id = String::new();
    for (name, value) in labels {
        if !id.is_empty() {
            id.push(',');
        }
        escape(name, &mut id);
        id.push('=');
        escape(value, &mut id);
    }
    if id.len() > limits::ENTITY_ID {
        let hash = seed_of(&id);
        let end = (0..=CUT).rev().find(|end| id.is_char_boundary(*end));
        id.truncate(end.unwrap_or(0));
        id.extend(["…", &format!("{hash:016x}")]);
    }
    Some(id)
}

fn escape(text: &str, id: &mut String) {
    for c in text.chars() {
        match c {
            '\\' | ',' | '=' => id.extend(['\\', c]),
            c if c.is_control() => id.extend(c.escape_unicode()),
            c => id.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use schemas::name::EntityId;

    use super::*;

    #[test]
    fn labels_are_an_id_that_a_person_can_read() {
        for (labels, id) in [
            (&[("device", "sda")][..], "device=sda"),
            (&[("cpu", "0"), ("mode", "idle")][..], "cpu=0,mode=idle"),
            (&[("a", "1,b=2")][..], "a=1\\,b\\=2"),
            (&[("a", "x\ny")][..], "a=x\\u{a}y"),
        ] {
            assert_eq!(identity(labels).as_deref(), Some(id));
        }
        assert_eq!(identity(&[]), None);
    }

    #[test]
    fn long_ids_stay_apart() {
        let long = |end: &str| identity(&[("path", &format!("{}{end}", "ü".repeat(300)))]).unwrap();
        let one = long("1");
        assert!(
            one.len() <= limits::ENTITY_ID && one.starts_with("path=üü"),
            "{one}"
        );
        assert_eq!(one, long("1"));
        assert_ne!(one, long("2"));
    }

    proptest! {
        #[test]
        fn every_id_is_valid_and_no_two_are_the_same(
            a in proptest::collection::btree_map("[a-c,=\\\\]{1,3}", "[a-c,=\\\\]{1,3}", 1..3),
            b in proptest::collection::btree_map("[a-c,=\\\\]{1,3}", "[a-c,=\\\\]{1,3}", 1..3),
            any in any::<String>(),
        ) {
            let of = |map: &std::collections::BTreeMap<String, String>| {
                let labels: Vec<_> = map.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
                identity(&labels).unwrap()
            };
            prop_assert_eq!(of(&a) == of(&b), a == b);
            prop_assert!(EntityId::new(identity(&[("x", &any)]).unwrap()).is_ok());
        }
    }
}
