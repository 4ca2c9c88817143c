use std::{fmt, str::FromStr};

use sha2::{Digest, Sha256};

/// SHA-256 of a certificate as the server sends it (DER), written `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

/// A text that is no fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is no fingerprint of a certificate: write `sha256:` and 64 hexadecimal digits, as the error of a refused certificate shows them"
)]
pub struct InvalidFingerprint;

impl Fingerprint {
    const PREFIX: &str = "sha256:";

    /// The fingerprint of a certificate in DER.
    pub fn of(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::PREFIX)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = InvalidFingerprint;

    /// Reads what [`fmt::Display`] writes, in any case, and the pairs with colons that OpenSSL, browsers and Proxmox VE show,
    /// with or without the prefix.
    fn from_str(text: &str) -> Result<Self, InvalidFingerprint> {
        let digits = match text.get(..Self::PREFIX.len()) {
            Some(prefix) if prefix.eq_ignore_ascii_case(Self::PREFIX) => {
                text.get(Self::PREFIX.len()..).unwrap_or_default()
            }
            _ => text,
        };
        let digits: Vec<u8> = digits
            .bytes()
            .filter(|byte| *byte != b':')
            .take(65)
            .collect();
        if digits.len() != 64 {
            return Err(InvalidFingerprint);
        }
        let nibble = |digit: u8| match digit {
            b'0'..=b'9' => Ok(digit - b'0'),
            b'a'..=b'f' => Ok(digit - b'a' + 10),
            b'A'..=b'F' => Ok(digit - b'A' + 10),
            _ => Err(InvalidFingerprint),
        };
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            if let [high, low] = pair {
                *byte = nibble(*high)? << 4 | nibble(*low)?;
            }
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_also_as_others_write_it() {
        let one = Fingerprint::of(b"a certificate");
        let text = one.to_string();
        assert_eq!(text.parse(), Ok(one));
        assert_eq!(text.to_uppercase().parse(), Ok(one));
        let digits = text.strip_prefix("sha256:").unwrap();
        let pairs: Vec<_> = digits
            .as_bytes()
            .chunks(2)
            .map(|pair| std::str::from_utf8(pair).unwrap())
            .collect();
        assert_eq!(format!("sha256:{}", pairs.join(":")).parse(), Ok(one));
        assert_eq!(pairs.join(":").to_uppercase().parse(), Ok(one));
    }

    #[test]
    fn what_is_no_fingerprint_is_refused() {
        let good = Fingerprint::of(b"").to_string();
        for bad in [
            "",
            "sha256:",
            "sha1:00",
            &good[..70],
            &format!("{good}0"),
            &good.replace('e', "g"),
            "ßßßß",
            // of SHA-1
            "EB:F1:98:FA:CA:CD:0D:A5:3E:C6:68:09:58:C9:91:DA:7F:C3:EE:F8",
        ] {
            assert!(bad.parse::<Fingerprint>().is_err(), "{bad} must be refused");
        }
    }
}
