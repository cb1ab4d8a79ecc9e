//! Signatures on what Quell posts to webhooks, and their check for receivers.
//!
//! `x-quell-signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">`

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::Sha256;

/// The header that carries the signature.
pub const SIGNATURE_HEADER: &str = "x-quell-signature";

const LONGEST_HEADER: usize = 256;

/// Why a signature does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not of the shape `t=…,v1=…`.
    #[error("the signature header is not of the form t=<unix seconds>,v1=<hex>")]
    Malformed,
    /// Signed too long ago, or in the future.
    #[error("the signature's time is too far from now: a replay, or a clock that is wrong")]
    Stale,
    /// Another secret, time or body.
    #[error("the signature does not match the body")]
    Mismatch,
}

/// The header value for `body`.
pub fn sign(secret: &[u8], body: &[u8], at: Timestamp) -> String {
    let seconds = at.as_second();
    format!("t={seconds},v1={}", hex::encode(mac(secret, seconds, body).finalize().into_bytes()))
}

/// Checks a received header against the received body. Several `v1` parts are allowed, so that a
/// secret can be changed without a gap: one match is enough.
pub fn verify(
    secret: &[u8],
    header: &str,
    body: &[u8],
    now: Timestamp,
    tolerance: Duration,
) -> Result<(), SignatureError> {
    if header.len() > LONGEST_HEADER {
        return Err(SignatureError::Malformed);
    }
    let (mut seconds, mut candidates) = (None, Vec::new());
    for part in header.split(',') {
        match part.trim().split_once('=') {
            Some(("t", value)) if seconds.is_none() => {
                seconds = Some(value.parse::<i64>().map_err(|_| SignatureError::Malformed)?);
            }
            Some(("v1", value)) => {
                candidates.push(hex::decode(value).map_err(|_| SignatureError::Malformed)?);
            }
            Some((name, _)) if name != "t" => {}
            _ => return Err(SignatureError::Malformed),
        }
    }
    let seconds = seconds.filter(|_| !candidates.is_empty()).ok_or(SignatureError::Malformed)?;
    if now.as_second().abs_diff(seconds) > tolerance.as_secs() {
        return Err(SignatureError::Stale);
    }
    let expected = mac(secret, seconds, body);
    if candidates.iter().any(|candidate| expected.clone().verify_slice(candidate).is_ok()) {
        Ok(())
    } else {
        Err(SignatureError::Mismatch)
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn mac(secret: &[u8], seconds: i64, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(seconds.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLERANCE: Duration = Duration::from_mins(5);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn the_format_is_fixed() {
        // echo -n '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret
        assert_eq!(
            sign(b"secret", b"{\"a\":1}", at(1_700_000_000)),
            "t=1700000000,v1=49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686"
        );
    }

    #[test]
    fn receivers_tell_good_from_bad() {
        let header = sign(b"secret", b"body", at(1_000));
        let check = |secret: &[u8], header: &str, body: &[u8], now| {
            verify(secret, header, body, at(now), TOLERANCE)
        };
        assert_eq!(check(b"secret", &header, b"body", 1_300), Ok(()));
        assert_eq!(check(b"secret", &header, b"body", 700), Ok(()));
        assert_eq!(check(b"secret", &header, b"body", 1_301), Err(SignatureError::Stale));
        assert_eq!(check(b"other", &header, b"body", 1_000), Err(SignatureError::Mismatch));
        assert_eq!(check(b"secret", &header, b"Body", 1_000), Err(SignatureError::Mismatch));
        let moved = header.replace("t=1000", "t=1001");
        assert_eq!(check(b"secret", &moved, b"body", 1_000), Err(SignatureError::Mismatch));
        let rotated = format!("{},{}", sign(b"old", b"body", at(1_000)), &header[7..]);
        assert_eq!(check(b"secret", &rotated, b"body", 1_000), Ok(()));
    }

    #[test]
    fn malformed_headers_are_named_so() {
        let long = "v1=00,".repeat(100);
        for header in ["", "t=1", "v1=00", "t=x,v1=00", "t=1,v1=zz", "t=1,t=2,v1=00", "t", &long] {
            let result = verify(b"s", header, b"", at(1), TOLERANCE);
            assert_eq!(result, Err(SignatureError::Malformed), "{header}");
        }
    }
}
