//! When a certificate ends: the one date of it that is told, read without a library for all the rest.

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The end of a certificate (X.509 in DER) as Unix time in seconds, if it is one.
pub(crate) fn not_after(certificate: &[u8]) -> Option<i64> {
    let mut signed = Der(certificate).enter(SEQUENCE)?;
    let mut content = signed.enter(SEQUENCE)?;
    if content.0.first() == Some(&VERSION) {
        content.next()?;
    }
    content.enter(INTEGER)?; // its number
    content.enter(SEQUENCE)?; // how it is signed
    content.enter(SEQUENCE)?; // by whom
    let mut validity = content.enter(SEQUENCE)?;
    validity.next()?; // from when
    let (tag, text) = validity.next()?;
    unix_seconds(tag, text)
}

/// What is left of some elements in DER.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next element: its tag and its content.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let length = if first < 0x80 {
            usize::from(first)
        } else {
            let digits = usize::from(first & 0x7f);
            if !(1..=3).contains(&digits) {
                return None;
            }
            let (digits, after) = rest.split_at_checked(digits)?;
            rest = after;
            digits
                .iter()
                .fold(0, |length, digit| length << 8 | usize::from(*digit))
        };
        let (content, after) = rest.split_at_checked(length)?;
        self.0 = after;
        Some((tag, content))
    }

    /// The content of the next element, which must be of this kind.
    fn enter(&mut self, wanted: u8) -> Option<Self> {
        let (tag, content) = self.next()?;
        (tag == wanted).then_some(Self(content))
    }
}

/// `YYMMDDhhmmssZ` (1950 to 2049) or `YYYYMMDDhhmmssZ`, the only forms that certificates may have.
fn unix_seconds(tag: u8, text: &[u8]) -> Option<i64> {
    let digits = text.strip_suffix(b"Z")?;
    let wanted = match tag {
        UTC_TIME => 12,
        GENERALIZED_TIME => 14,
        _ => return None,
    };
    if digits.len() != wanted || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let (year, rest) = digits.split_at_checked(wanted - 10)?;
    let number = |digits: &[u8]| {
        digits
            .iter()
            .fold(0, |number, digit| number * 10 + i64::from(*digit - b'0'))
    };
    let year = match (tag, number(year)) {
        (UTC_TIME, short @ 50..) => 1900 + short,
        (UTC_TIME, short) => 2000 + short,
        (_, year) => year,
    };
    let mut parts = rest.chunks(2).map(number);
    let (month, day) = (parts.next()?, parts.next()?);
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    if !(1..=12).contains(&month)
        || !(1..=31).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    Some(((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second)
}

/// Days since 1970-01-01 of a date after the year 0. Years begin in March, so that the leap day is their last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn until(year: i32, month: u8, day: u8) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(1970, 1, 1);
        params.not_after = date_time_ymd(year, month, day);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_end_of_a_certificate_is_read_in_both_forms_of_time() {
        for (year, month, day, seconds) in [
            (1999, 12, 31, 946_598_400),
            (2024, 2, 29, 1_709_164_800),
            (2026, 11, 25, 1_795_564_800),
            (2049, 12, 31, 2_524_521_600),
            // from here on the year has four digits
            (2050, 1, 1, 2_524_608_000),
            (2100, 3, 1, 4_107_542_400),
            (4096, 1, 1, 67_090_118_400),
        ] {
            let certificate = until(year, month, day);
            assert_eq!(
                not_after(&certificate),
                Some(seconds),
                "{year}-{month}-{day}"
            );
        }
    }

    #[test]
    fn what_is_cut_or_no_certificate_has_no_end() {
        let whole = until(2030, 1, 1);
        for end in 0..whole.len() {
            assert_eq!(not_after(&whole[..end]), None, "{end}");
        }
        for garbage in [
            &b""[..],
            &[0x30, 0x80],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            b"-----BEGIN",
        ] {
            assert_eq!(not_after(garbage), None);
        }
        for text in [
            "301301000000Z",
            "300100000000Z",
            "300101240000Z",
            "3001010000Z",
            "30010100000xZ",
            "300101000000",
        ] {
            assert_eq!(unix_seconds(UTC_TIME, text.as_bytes()), None, "{text}");
        }
        assert_eq!(unix_seconds(INTEGER, b"300101000000Z"), None);
    }
}
