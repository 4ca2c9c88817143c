use serde::Serialize;

use crate::FieldValue;

/// Why a line was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    /// A name or the value of a tag is empty.
    #[error("a name or the value of a tag is empty")]
    Empty,
    /// The protocol has no form for a control character in a name, nor for a backslash at its end.
    #[error("a name or the value of a tag has a control character or ends in a backslash")]
    Name,
    /// A measurement that begins with `#` would be a comment.
    #[error("a measurement begins with #")]
    Comment,
    /// A field is not a number, or infinite.
    #[error("a number is not finite")]
    NotFinite,
    /// A line without a field is none.
    #[error("a point has no field")]
    NoField,
}

/// Writes points into one buffer.
///
/// A line begins with [`Encoder::begin`], takes tags, then fields, and ends with [`Encoder::end`], which answers for all of it.
/// Nothing is allocated once the buffer has grown.
#[derive(Debug, Default)]
pub struct Encoder {
    buffer: Vec<u8>,
    start: usize,
    lines: usize,
    fields: usize,
    wrong: Option<Unwritable>,
}

impl Encoder {
    /// An empty buffer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Uses a buffer again; what it held is dropped.
    pub fn with_buffer(mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        Self {
            buffer,
            ..Self::default()
        }
    }

    /// All whole lines.
    pub fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.start).unwrap_or_default()
    }

    /// How many lines there are.
    pub const fn lines(&self) -> usize {
        self.lines
    }

    /// Gives the buffer back.
    pub fn into_buffer(mut self) -> Vec<u8> {
        self.buffer.truncate(self.start);
        self.buffer
    }

    /// Drops all lines and keeps the buffer.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.start = 0;
        self.lines = 0;
        self.fields = 0;
        self.wrong = None;
    }

    /// Begins a line; one that has not ended is dropped.
    pub fn begin(&mut self, measurement: &str) {
        self.buffer.truncate(self.start);
        self.fields = 0;
        self.wrong = measurement.starts_with('#').then_some(Unwritable::Comment);
        self.name(measurement, IN_MEASUREMENT);
    }

    /// Adds a tag. InfluxDB is fastest when they come in the order of their names.
    pub fn tag(&mut self, name: &str, value: &str) {
        self.buffer.push(b',');
        self.name(name, IN_NAME);
        self.buffer.push(b'=');
        self.name(value, IN_NAME);
    }

    /// Adds a field of any type; an integer above `i64::MAX` with the suffix `u`, which not every server takes.
    pub fn field(&mut self, name: &str, value: &FieldValue) {
        match value {
            FieldValue::F64(v) => self.float(name, *v),
            FieldValue::I64(v) => self.integer(name, *v),
            FieldValue::U64(v) => self.unsigned(name, *v),
            FieldValue::Bool(v) => self.flag(name, *v),
            FieldValue::Text(v) => self.text(name, v),
        }
    }

    /// Adds a float: the shortest digits that give the same bits.
    pub fn float(&mut self, name: &str, value: f64) {
        self.field_name(name);
        if value.is_finite() {
            self.number(&value);
        } else {
            self.wrong(Unwritable::NotFinite);
        }
    }

    /// Adds a whole number with a sign.
    pub fn integer(&mut self, name: &str, value: i64) {
        self.field_name(name);
        self.number(&value);
        self.buffer.push(b'i');
    }

    /// Adds a whole number without a sign.
    pub fn unsigned(&mut self, name: &str, value: u64) {
        self.field_name(name);
        self.number(&value);
        self.buffer.push(b'u');
    }

    /// Adds true or false.
    pub fn flag(&mut self, name: &str, value: bool) {
        self.field_name(name);
        self.buffer.push(if value { b't' } else { b'f' });
    }

    /// Adds a text.
    pub fn text(&mut self, name: &str, value: &str) {
        self.field_name(name);
        self.buffer.push(b'"');
        escaped(&mut self.buffer, value.as_bytes(), IN_TEXT);
        self.buffer.push(b'"');
    }

    /// Ends the line with its time, in the precision that the request names.
    ///
    /// # Errors
    /// The protocol has no form for a part of it; the line is dropped, those before it stay.
    pub fn end(&mut self, time: Option<i64>) -> Result<(), Unwritable> {
        if self.fields == 0 {
            self.wrong(Unwritable::NoField);
        }
        if let Some(wrong) = self.wrong.take() {
            self.buffer.truncate(self.start);
            return Err(wrong);
        }
        if let Some(time) = time {
            self.buffer.push(b' ');
            self.number(&time);
        }
        self.buffer.push(b'\n');
        self.start = self.buffer.len();
        self.lines += 1;
        Ok(())
    }

    fn field_name(&mut self, name: &str) {
        self.buffer.push(if self.fields == 0 { b' ' } else { b',' });
        self.fields += 1;
        self.name(name, IN_NAME);
        self.buffer.push(b'=');
    }

    fn name(&mut self, name: &str, special: u8) {
        let bytes = name.as_bytes();
        match bytes.last() {
            None => self.wrong(Unwritable::Empty),
            Some(b'\\') => self.wrong(Unwritable::Name),
            Some(_) if classes_of(bytes) & CONTROL != 0 => self.wrong(Unwritable::Name),
            Some(_) => escaped(&mut self.buffer, bytes, special),
        }
    }

    /// The writer of JSON has the shortest digits of floats, and what it writes is what the protocol takes.
    fn number(&mut self, number: &impl Serialize) {
        if serde_json::to_writer(&mut self.buffer, number).is_err() {
            self.wrong(Unwritable::NotFinite);
        }
    }

    fn wrong(&mut self, what: Unwritable) {
        self.wrong.get_or_insert(what);
    }
}

/// What a byte is, as bits.
const IN_MEASUREMENT: u8 = 1;
const IN_NAME: u8 = 2;
const IN_TEXT: u8 = 4;
const CONTROL: u8 = 8;

/// Looked up for every byte of every line: a table is several times as fast as to compare.
static CLASSES: [u8; 256] = classes();

#[expect(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        let mut class = 0;
        if matches!(byte, b',' | b' ') {
            class |= IN_MEASUREMENT;
        }
        if matches!(byte, b',' | b'=' | b' ') {
            class |= IN_NAME;
        }
        if matches!(byte, b'"' | b'\\') {
            class |= IN_TEXT;
        }
        if byte.is_ascii_control() {
            class |= CONTROL;
        }
        classes[byte as usize] = class;
        byte += 1;
    }
    classes
}

fn class(byte: u8) -> u8 {
    CLASSES.get(usize::from(byte)).copied().unwrap_or_default()
}

/// What the bytes of a text are, together.
fn classes_of(text: &[u8]) -> u8 {
    text.iter().fold(0, |all, byte| all | class(*byte))
}

/// Copies what is ordinary in one piece.
fn escaped(buffer: &mut Vec<u8>, text: &[u8], special: u8) {
    if classes_of(text) & special == 0 {
        buffer.extend_from_slice(text);
        return;
    }
    for byte in text {
        if class(*byte) & special != 0 {
            buffer.push(b'\\');
        }
        buffer.push(*byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_has_no_form_is_dropped_and_the_others_stay() {
        let mut lines = Encoder::new();
        let mut write = |measurement: &str, tag: &str, field: &str, value: f64| {
            lines.begin(measurement);
            lines.tag("t", tag);
            lines.float(field, value);
            lines.end(Some(1))
        };
        assert_eq!(write("m", "v", "f", 1.5), Ok(()));
        assert_eq!(write("m", "", "f", 1.5), Err(Unwritable::Empty));
        assert_eq!(write("m", "a\\", "f", 1.5), Err(Unwritable::Name));
        assert_eq!(write("m", "a\nb", "f", 1.5), Err(Unwritable::Name));
        assert_eq!(write("#m", "a", "f", 1.5), Err(Unwritable::Comment));
        assert_eq!(write("m", "v", "f", f64::NAN), Err(Unwritable::NotFinite));
        assert_eq!(
            write("m", "v", "f", f64::INFINITY),
            Err(Unwritable::NotFinite)
        );
        assert_eq!(write("m", "v", "g", -0.0), Ok(()));
        lines.begin("m");
        assert_eq!(lines.end(None), Err(Unwritable::NoField));
        lines.begin("left open");
        assert_eq!(lines.bytes(), b"m,t=v f=1.5 1\nm,t=v g=-0.0 1\n");
        assert_eq!(lines.lines(), 2);
        assert_eq!(lines.into_buffer().len(), 29);
    }

    #[test]
    fn every_type_has_its_form() {
        let mut lines = Encoder::new();
        lines.begin("a, b=c");
        lines.tag("k =,", "v =,");
        for (name, value) in [
            ("f", FieldValue::F64(1e300)),
            ("i", FieldValue::I64(i64::MIN)),
            ("u", FieldValue::U64(u64::MAX)),
            ("b", FieldValue::Bool(true)),
            ("s", FieldValue::Text("a\"b\\c\nd".into())),
        ] {
            lines.field(name, &value);
        }
        lines.end(None).unwrap();
        assert_eq!(
            String::from_utf8(lines.bytes().to_vec()).unwrap(),
            "a\\,\\ b=c,k\\ \\=\\,=v\\ \\=\\, \
             f=1e+300,i=-9223372036854775808i,u=18446744073709551615u,b=t,s=\"a\\\"b\\\\c\nd\"\n"
        );
    }
}
