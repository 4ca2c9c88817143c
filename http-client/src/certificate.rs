//! When a certificate ends and whose it says it is: what is told of it, read without a library for all the rest.

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SET: u8 = 0x31;

/// Parts of a name that are told: the last of 2.5.4.x, and how it is written.
const NAMES: [(&[u8], &str); 6] = [
    (&[0x55, 4, 3], "CN"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 6], "C"),
];
const MOST_PARTS: usize = 8;
const MOST_CHARS: usize = 64;

/// The end of a certificate (X.509 in DER) as Unix time in seconds, if it is one.
pub(crate) fn not_after(certificate: &[u8]) -> Option<i64> {
    let mut validity = until_validity(certificate)?.enter(SEQUENCE)?;
    validity.next()?; // from when
    let (tag, text) = validity.next()?;
    unix_seconds(tag, text)
}

/// Whose a certificate (X.509 in DER) says it is, as `CN=nas1, O=Home`, if it says so.
pub(crate) fn subject(certificate: &[u8]) -> Option<String> {
    let mut content = until_validity(certificate)?;
    content.enter(SEQUENCE)?; // validity
    let mut names = content.enter(SEQUENCE)?;
    let mut parts = Vec::new();
    while !names.0.is_empty() && parts.len() < MOST_PARTS {
        let mut part = names.enter(SET)?.enter(SEQUENCE)?;
        let (_, kind) = part.next()?;
        let (_, value) = part.next()?;
        if let Some((_, short)) = NAMES.iter().find(|(known, _)| *known == kind) {
            let value: String = String::from_utf8_lossy(value)
                .chars()
                .filter(|c| !c.is_control())
                .take(MOST_CHARS)
                .collect();
            parts.push(format!("{short}={value}"));
        }
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// What a certificate says from its validity on.
fn until_validity(certificate: &[u8]) -> Option<Der<'_>> {
    let mut signed = Der(certificate).enter(SEQUENCE)?;
    let mut content = signed.enter(SEQUENCE)?;
    if content.0.first() == Some(&VERSION) {
        content.next()?;
    }
    content.enter(INTEGER)?; // its number
    content.enter(SEQUENCE)?; // how it is signed
    content.enter(SEQUENCE)?; // by whom
    Some(content)
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
    fn whose_it_is_is_read() {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "nas\u{7}1 küche");
        params
            .distinguished_name
            .push(rcgen::DnType::OrganizationName, "Home");
        let key = KeyPair::generate().unwrap();
        let whole = params.self_signed(&key).unwrap().der().to_vec();
        assert_eq!(subject(&whole).as_deref(), Some("CN=nas1 küche, O=Home"));
        for end in 0..whole.len() {
            assert_eq!(subject(&whole[..end]), None, "{end}");
        }
        params.distinguished_name = rcgen::DistinguishedName::new();
        let nameless = params.self_signed(&key).unwrap().der().to_vec();
        assert_eq!(subject(&nameless), None);
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
