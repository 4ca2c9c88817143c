use schemas::limits;
use serde::Deserialize;

/// Which event a record holds, read without the rest of it.
///
/// Also of forms that a later release writes, as long as they name their identity like this.
#[derive(Deserialize, PartialEq, Eq, Debug)]
pub(super) struct Id<'a> {
    #[serde(borrow)]
    pub(super) source: &'a str,
    #[serde(borrow)]
    pub(super) epoch: &'a str,
    pub(super) seq: u64,
}

impl<'a> Id<'a> {
    /// The identity in a record, if it has one.
    pub(super) fn scan(bytes: &'a [u8]) -> Option<Self> {
        if bytes.len() > limits::EVENT_BYTES {
            return None;
        }
        let id: Self = serde_json::from_slice(bytes).ok()?;
        let possible = (1..=i64::MAX.unsigned_abs()).contains(&id.seq);
        possible.then_some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_found_in_any_version_that_has_one() {
        let text =
            br#"{"schema":2,"later":[1],"source":"nas1","epoch":"00ff","seq":7,"fields":{"a":1}}"#;
        let id = Id::scan(text).unwrap();
        assert_eq!((id.source, id.epoch, id.seq), ("nas1", "00ff", 7));
        for other in [
            &br#"{"schema":999,"x":1}"#[..],
            b"\xff\x00",
            br#"{"source":"nas1","epoch":"00ff","seq":0}"#,
            br#"{"source":"nas1","epoch":"00ff","seq":9223372036854775808}"#,
        ] {
            assert_eq!(Id::scan(other), None);
        }
    }
}
