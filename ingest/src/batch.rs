use std::collections::BTreeMap;

use event_log::{DeadLetter, Record};
use schemas::Catalog;
use time_series::{Point, Refused};

use crate::{
    known::KnownEntities,
    project::{Limits, letter, original, project},
};

/// Reason of a letter for what a store refused.
pub(crate) const REFUSED: &str = "store_refused";
/// Longest text of one letter that a store's answers make, in bytes.
const WORDS: usize = 2_000;

/// What a stretch of the log became.
#[derive(Debug, Default)]
pub(crate) struct Projected {
    /// In the order of the log.
    pub(crate) points: Vec<Point>,
    /// For each point, the index of the record that it comes from.
    pub(crate) origins: Vec<u32>,
    /// What could not be used.
    pub(crate) letters: Vec<DeadLetter>,
    /// Points whose time was corrected.
    pub(crate) ahead: u64,
}

/// Projects a stretch of the log.
pub(crate) fn project_all(
    records: &[Record],
    catalog: &Catalog,
    known: &mut KnownEntities,
    limits: &Limits,
) -> Projected {
    let mut all = Projected {
        points: Vec::with_capacity(records.len()),
        origins: Vec::with_capacity(records.len()),
        ..Projected::default()
    };
    for (index, record) in (0_u32..).zip(records) {
        let made = project(record, catalog, known, limits);
        all.ahead += u64::from(made.ahead_millis.is_some());
        if let Some(point) = made.point {
            all.points.push(point);
            all.origins.push(index);
        }
        all.letters.extend(made.letters);
    }
    all
}

/// Letters for what a store refused, in its own words, with the originals.
pub(crate) fn refused_letters(
    records: &[Record],
    origins: &[u32],
    refused: &[Refused],
) -> Vec<DeadLetter> {
    // a point may be named once for each of its fields; its letter is one
    let mut words: BTreeMap<u32, String> = BTreeMap::new();
    for Refused { index, why } in refused {
        let Some(origin) = origins.get(*index) else {
            continue;
        };
        let said = words.entry(*origin).or_default();
        if said.contains(why.as_str()) || said.len() + why.len() > WORDS && !said.is_empty() {
            continue;
        }
        if !said.is_empty() {
            said.push_str("; ");
        }
        said.push_str(cut(why));
    }
    words
        .into_iter()
        .filter_map(|(origin, why)| {
            let record = records.get(usize::try_from(origin).ok()?)?;
            Some(letter(record, None, REFUSED, why, original(record)))
        })
        .collect()
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(WORDS);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use event_log::Body;
    use schemas::Timestamp;

    use super::*;

    #[test]
    fn what_a_store_refuses_keeps_its_words_and_its_original() {
        let records: Vec<Record> = (0..3)
            .map(|offset| Record {
                partition: 1,
                offset,
                logged: Timestamp::from_millis(1_795_406_700_000),
                body: Body::Unreadable {
                    bytes: Arc::from(format!("original {offset}").as_bytes()),
                    reason: String::new(),
                },
            })
            .collect();
        let refusal = |index, why: &str| Refused {
            index,
            why: why.to_owned(),
        };
        // the first record made no point
        let letters = refused_letters(
            &records,
            &[1, 2],
            &[
                refusal(1, "field a is a float"),
                refusal(1, "field b is a text"),
                refusal(1, "field a is a float"),
                refusal(7, "no such point"),
            ],
        );
        let [letter] = &letters[..] else {
            panic!("{letters:?}")
        };
        assert_eq!((letter.partition, letter.offset), (1, 2));
        assert_eq!(letter.reason, REFUSED);
        assert_eq!(letter.message, "field a is a float; field b is a text");
        assert_eq!(letter.bytes, b"original 2");
    }
}
