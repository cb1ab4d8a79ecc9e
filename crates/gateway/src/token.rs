//! User tokens: a JWT signed with HS256 (RFC 7515, RFC 7519) in `x-quell-user-token`.
//! Claims: `sub` (user, required), `sid` (session), `exp` (required), `nbf`, `aud` (application).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha2::Sha256;

/// Longest token looked at, bytes.
const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// The claims Quell uses.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Claims {
    /// The user.
    pub sub: String,
    /// The session.
    #[serde(default)]
    pub sid: Option<String>,
    /// End of validity, Unix seconds.
    exp: i64,
    /// Start of validity, Unix seconds.
    #[serde(default)]
    nbf: Option<i64>,
    /// The application it was made for.
    #[serde(default)]
    aud: Option<String>,
}

/// Why a token does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenRefused {
    #[error("the user token is not a JWT signed with HS256")]
    Malformed,
    #[error("the user token's signature does not verify")]
    Signature,
    #[error("the user token has expired or is not valid yet")]
    Expired,
    #[error("the user token was made for another application")]
    Audience,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
}

/// Verifies `token` for `application` at `now`.
pub(crate) fn verify(
    token: &str,
    secret: &SecretString,
    application: &str,
    now: Timestamp,
) -> Result<Claims, TokenRefused> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenRefused::Malformed);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenRefused::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(TokenRefused::Malformed)?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenRefused::Malformed);
    let header: Header =
        serde_json::from_slice(&decode(header)?).map_err(|_| TokenRefused::Malformed)?;
    if header.alg != "HS256" {
        return Err(TokenRefused::Malformed);
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes())
        .map_err(|_| TokenRefused::Signature)?;
    mac.update(signed.as_bytes());
    mac.verify_slice(&decode(signature)?).map_err(|_| TokenRefused::Signature)?;
    let claims: Claims =
        serde_json::from_slice(&decode(payload)?).map_err(|_| TokenRefused::Malformed)?;
    let now = now.as_second();
    if claims.exp <= now || claims.nbf.is_some_and(|start| start > now) {
        return Err(TokenRefused::Expired);
    }
    if claims.aud.as_deref().is_some_and(|audience| audience != application) {
        return Err(TokenRefused::Audience);
    }
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(header: &str, payload: &str, key: &str) -> String {
        let signed =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }

    #[test]
    fn only_a_valid_signature_inside_its_time_counts() {
        let secret = SecretString::from("k".repeat(32));
        let now = Timestamp::from_second(1_000).unwrap();
        let check = |token: &str| verify(token, &secret, "shop", now);
        let hs = r#"{"alg":"HS256","typ":"JWT"}"#;
        let key = "k".repeat(32);
        let good = sign(hs, r#"{"sub":"ada","sid":"s1","exp":2000}"#, &key);
        assert_eq!(check(&good).map(|c| c.sub), Ok("ada".into()));
        assert_eq!(
            check(&sign(hs, r#"{"sub":"ada","exp":1000}"#, &key)),
            Err(TokenRefused::Expired)
        );
        assert_eq!(
            check(&sign(hs, r#"{"sub":"a","exp":2000,"nbf":1500}"#, &key)),
            Err(TokenRefused::Expired)
        );
        assert_eq!(
            check(&sign(hs, r#"{"sub":"a","exp":2000,"aud":"bank"}"#, &key)),
            Err(TokenRefused::Audience)
        );
        assert_eq!(
            check(&sign(hs, r#"{"sub":"a","exp":2000}"#, "other")),
            Err(TokenRefused::Signature)
        );
        let none = sign(r#"{"alg":"none"}"#, r#"{"sub":"a","exp":2000}"#, &key);
        assert_eq!(check(&none), Err(TokenRefused::Malformed));
        assert_eq!(check("a.b"), Err(TokenRefused::Malformed));
        assert_eq!(check(&"a".repeat(9_000)), Err(TokenRefused::Malformed));
    }
}
