use std::{fmt, sync::Arc};

use super::{DecodeError, VERSION, decode};
use crate::{
    event::{Entity, Event, EventType, Labels},
    fields::{FieldValue, Fields},
    limits,
    name::{AgentName, EntityId, EntityType, Epoch, FieldName, SourceKind, SourceName},
    time::Timestamp,
};

/// Texts longer than this are not looked for.
const SHARED_TEXT: usize = 128;

/// Reads events that follow each other, faster than [`decode`] and with the same answers: what [`super::encode`]
/// writes is read as it stands, and names and short texts that repeat from one event to the next are shared. All else goes the
/// long way.
///
/// What it remembers is bounded, whatever comes.
#[derive(Default)]
pub struct Decoder {
    sources: Shelf<SourceName, 64>,
    kinds: Shelf<SourceKind, 16>,
    agents: Shelf<AgentName, 64>,
    epochs: Shelf<Epoch, 64>,
    types: Shelf<EntityType, 64>,
    ids: Shelf<EntityId, 1024>,
    names: Shelf<FieldName, 512>,
    texts: Shelf<Text, 1024>,
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").finish_non_exhaustive()
    }
}

impl Decoder {
    /// One that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads an event of any version up to the current one.
    ///
    /// # Errors
    /// As [`decode`].
    pub fn decode(&mut self, bytes: &[u8]) -> Result<Event, DecodeError> {
        if bytes.len() <= limits::EVENT_BYTES
            && let Ok(text) = std::str::from_utf8(bytes)
            && let Some(event) = self.plain(text)
        {
            return Ok(event);
        }
        // older versions, and every mistake with its message
        decode(bytes)
    }

    /// Reads what the current version writes, in its order; none if it is anything else.
    fn plain(&mut self, text: &str) -> Option<Event> {
        let mut rest = Rest(text);
        rest.skip("{\"schema\":")?;
        if rest.whole()? != FieldValue::I64(i64::from(VERSION)) {
            return None;
        }
        rest.skip(",\"source\":\"")?;
        let source = self.sources.get(rest.text()?)?;
        rest.skip(",\"kind\":\"")?;
        let kind = self.kinds.get(rest.text()?)?;
        let agent = match rest.skip(",\"agent\":\"") {
            Some(()) => Some(self.agents.get(rest.text()?)?),
            None => None,
        };
        rest.skip(",\"epoch\":\"")?;
        let epoch = self.epochs.get(rest.text()?)?;
        rest.skip(",\"seq\":")?;
        let seq = match rest.whole()? {
            FieldValue::I64(seq) => u64::try_from(seq).ok()?,
            _ => return None,
        };
        rest.skip(",\"type\":\"")?;
        let event_type: EventType = rest.text()?.parse().ok()?;
        rest.skip(",\"time\":")?;
        let time = match rest.whole()? {
            FieldValue::I64(millis) => Timestamp::from_millis(millis),
            _ => return None,
        };
        if !time.is_plausible() {
            return None;
        }
        rest.skip(",\"entity\":{\"type\":\"")?;
        let entity_type = self.types.get(rest.text()?)?;
        rest.skip(",\"id\":\"")?;
        let id = self.ids.get(rest.text()?)?;
        let mut labels = Labels::new();
        if rest.skip(",\"labels\":{\"").is_some() {
            loop {
                let name = self.names.get(rest.text()?)?;
                rest.skip(":\"")?;
                labels.insert(name, self.texts.get(rest.text()?)?.0);
                if rest.skip(",\"").is_none() {
                    break;
                }
            }
            rest.skip("}")?;
        }
        rest.skip("},\"fields\":{\"")?;
        let mut fields = Fields::new();
        loop {
            if fields.len() >= limits::FIELDS {
                return None;
            }
            let name = self.names.get(rest.text()?)?;
            rest.skip(":")?;
            let value = self.value(&mut rest)?;
            fields.set(name, value);
            if rest.skip(",\"").is_none() {
                break;
            }
        }
        (rest.0 == "}}").then_some(Event {
            source,
            kind,
            agent,
            epoch,
            seq,
            event_type,
            time,
            entity: Entity {
                entity_type,
                id,
                labels,
            },
            fields,
        })
    }

    fn value(&mut self, rest: &mut Rest<'_>) -> Option<FieldValue> {
        match rest.0.as_bytes().first()? {
            b'"' => {
                rest.skip("\"")?;
                let text = rest.text()?;
                (text.len() <= limits::FIELD_TEXT)
                    .then(|| self.texts.get(text))?
                    .map(|text| FieldValue::Text(text.0))
            }
            b't' => rest.skip("true").map(|()| FieldValue::Bool(true)),
            b'f' => rest.skip("false").map(|()| FieldValue::Bool(false)),
            _ => rest.number(),
        }
    }
}

/// What is not read yet.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    /// Passes what must come now.
    fn skip(&mut self, expected: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    /// Takes a text up to its closing quote; none if something in it is escaped.
    fn text(&mut self) -> Option<&'a str> {
        let end = self
            .0
            .bytes()
            .position(|byte| byte == b'"' || byte == b'\\' || byte < b' ')?;
        let (text, rest) = self.0.split_at_checked(end)?;
        self.0 = rest.strip_prefix('"')?;
        Some(text)
    }

    /// Takes the digits, signs and letters of a number.
    fn digits(&mut self) -> Option<&'a str> {
        let end = self.0.bytes().position(|byte| {
            !(byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E'))
        })?;
        let (digits, rest) = self.0.split_at_checked(end)?;
        self.0 = rest;
        Some(digits)
    }

    fn whole(&mut self) -> Option<FieldValue> {
        whole(self.digits()?)
    }

    fn number(&mut self) -> Option<FieldValue> {
        let digits = self.digits()?;
        whole(digits).or_else(|| fraction(digits))
    }
}

/// A whole number as JSON writes it: no sign but a minus, no zero before other digits. `-0` is a fraction in JSON.
fn whole(digits: &str) -> Option<FieldValue> {
    let unsigned = digits.strip_prefix('-').unwrap_or(digits);
    let plain = unsigned.bytes().all(|byte| byte.is_ascii_digit());
    if !plain || unsigned.is_empty() || (unsigned.starts_with('0') && digits != "0") {
        return None;
    }
    match digits.parse() {
        Ok(number) => Some(FieldValue::I64(number)),
        Err(_) => digits.parse().ok().map(FieldValue::unsigned),
    }
}

/// A number with a point as JSON writes it.
fn fraction(digits: &str) -> Option<FieldValue> {
    let unsigned = digits.strip_prefix('-').unwrap_or(digits);
    let (before, after) = unsigned.split_once('.')?;
    let leads = before == "0" || !before.starts_with('0') && !before.is_empty();
    let (after, exponent) = match after.split_once(['e', 'E']) {
        Some((after, exponent)) => (after, exponent.strip_prefix(['+', '-']).unwrap_or(exponent)),
        None => (after, "0"),
    };
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !(leads && plain(before) && plain(after) && plain(exponent)) {
        return None;
    }
    FieldValue::float(digits.parse().ok()?).ok()
}

/// A text of a field or label.
struct Text(Arc<str>);

/// What can stand on a shelf.
trait Shared: Clone + Sized {
    fn make(text: &str) -> Option<Self>;
    fn text(&self) -> &str;
}

macro_rules! shared {
    ($($name:ident)*) => {
        $(impl Shared for $name {
            fn make(text: &str) -> Option<Self> {
                Self::new(text).ok()
            }
            fn text(&self) -> &str {
                self.as_str()
            }
        })*
    };
}

shared! { SourceName SourceKind AgentName Epoch EntityType EntityId FieldName }

impl Clone for Text {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl Shared for Text {
    fn make(text: &str) -> Option<Self> {
        Some(Self(Arc::from(text)))
    }

    fn text(&self) -> &str {
        &self.0
    }
}

/// What was seen lately: each text has one place, where the last one with that place stands. Nobody can make it grow or slow.
struct Shelf<T, const PLACES: usize>(Vec<Option<T>>);

impl<T, const PLACES: usize> Default for Shelf<T, PLACES> {
    fn default() -> Self {
        Self((0..PLACES).map(|_| None).collect())
    }
}

impl<T: Shared, const PLACES: usize> Shelf<T, PLACES> {
    fn get(&mut self, text: &str) -> Option<T> {
        let Some(slot) = self.0.get_mut(place(text) % PLACES) else {
            return T::make(text);
        };
        match slot {
            Some(there) if there.text() == text => Some(there.clone()),
            _ => {
                let made = T::make(text)?;
                if text.len() <= SHARED_TEXT {
                    *slot = Some(made.clone());
                }
                Some(made)
            }
        }
    }
}

/// Where a text stands: of its length, its beginning and its end.
fn place(text: &str) -> usize {
    let bytes = text.as_bytes();
    let word = |part: &[u8]| {
        part.iter()
            .fold(0_u64, |word, byte| word << 8 | u64::from(*byte))
    };
    let ends = match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (Some(first), Some(last)) => {
            let middle = bytes
                .get(bytes.len() / 2..)
                .and_then(<[u8]>::first_chunk::<4>);
            u64::from_le_bytes(*first)
                ^ u64::from_le_bytes(*last).rotate_left(23)
                ^ middle.map_or(0, |m| u64::from(u32::from_le_bytes(*m)).rotate_left(41))
        }
        _ => word(bytes),
    };
    let mixed = (ends ^ (bytes.len() as u64).rotate_left(57))
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(27)
        .wrapping_mul(0xbf58_476d_1ce4_e5b9);
    usize::try_from(mixed >> 40).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_the_short_way() {
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/event.v1.json");
        let text = std::fs::read_to_string(golden).unwrap();
        let mut decoder = Decoder::new();
        let event = decoder.plain(text.trim());
        assert_eq!(event.unwrap(), decode(text.trim().as_bytes()).unwrap());
        let again = decoder.plain(text.trim()).unwrap();
        let first = again.fields.iter().next().unwrap().0.clone();
        let once_more = decoder.plain(text.trim()).unwrap();
        assert!(
            std::ptr::eq(
                first.as_str(),
                once_more.fields.iter().next().unwrap().0.as_str()
            ),
            "names are shared"
        );
    }

    #[test]
    fn numbers_are_those_of_json() {
        for bad in [
            "01", "-", "-01", "1.", ".5", "+1", "1.5e", "--1", "-0", "0x1", "1.5.2",
        ] {
            assert_eq!(whole(bad).or_else(|| fraction(bad)), None, "{bad}");
        }
        for good in [
            "0",
            "-1",
            "18446744073709551615",
            "0.0",
            "-0.0",
            "1.5e-7",
            "-12.25",
        ] {
            let wanted: FieldValue = serde_json::from_str(good).unwrap();
            let found = whole(good).or_else(|| fraction(good)).unwrap();
            assert!(found.same_as(&wanted), "{good}: {found:?}");
        }
    }
}
