//! Phase 1: which application, and who. The precedence is written here and nowhere else:
//!
//! | claim   | authenticated                                   | asserted                                                        | observed |
//! |---------|-------------------------------------------------|-----------------------------------------------------------------|----------|
//! | user    | `sub` of a verified token; user bound to the key | `x-quell-user`; body `safety_identifier`, `user`, `metadata.user_id` | – |
//! | session | `sid` of a verified token                        | `x-quell-session`; body `conversation`, `metadata.session_id`     | – |
//! | address | –                                               | –                                                               | trusted proxy's `x-forwarded-for`; the peer |
//!
//! A stronger claim always wins; a weaker one beside it is dropped.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::HeaderMap;
use jiff::Timestamp;
use quell_domain::application::{KeyBinding, UserToken};
use quell_domain::principal::{Graded, Principal, TrustGrade};
use quell_wire::{ParsedRequest, RefusalReason};

use crate::active::{Active, ActiveApplication, Secret};
use crate::token;

/// Longest user, session or proxy header value kept, bytes.
const CLAIM_BYTES_MAX: usize = 256;

/// The outcome of identification.
#[derive(Debug)]
pub(crate) struct Identity {
    /// The application.
    pub application: Arc<ActiveApplication>,
    /// Who, as far as headers tell.
    pub principal: Principal,
    /// The path without the `/a/{application}` prefix.
    pub path: String,
    /// Whether the client's own upstream key is passed on.
    pub pass_through: bool,
}

/// Why nobody could be identified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unidentified {
    pub reason: RefusalReason,
    pub message: &'static str,
}

const UNKNOWN_APPLICATION: Unidentified = Unidentified {
    reason: RefusalReason::NotFound,
    message: "no such application on this gateway; check the name after /a/ in the base URL",
};
const KEY_MISSING: Unidentified = Unidentified {
    reason: RefusalReason::Unauthorized,
    message: "no Quell key: send it as `Authorization: Bearer qk_…` or `x-api-key`, \
              or use the application's own path /a/{application}/v1",
};
const KEY_UNKNOWN: Unidentified = Unidentified {
    reason: RefusalReason::Unauthorized,
    message: "this Quell key is not known here; it may have been revoked",
};
const KEY_EXPIRED: Unidentified = Unidentified {
    reason: RefusalReason::Unauthorized,
    message: "this Quell key has expired; ask the operator for a new one",
};
const KEY_OTHER_APPLICATION: Unidentified = Unidentified {
    reason: RefusalReason::Unauthorized,
    message: "this Quell key belongs to another application",
};
const PASS_THROUGH_OFF: Unidentified = Unidentified {
    reason: RefusalReason::Unauthorized,
    message: "this application takes Quell keys only; pass-through of provider keys is off",
};

/// Identifies the application and whatever of the principal headers tell.
pub(crate) fn identify(
    active: &Active,
    path: &str,
    headers: &HeaderMap,
    peer: SocketAddr,
    trusted_proxies: &[IpAddr],
    now: Timestamp,
) -> Result<Identity, Unidentified> {
    let (prefixed, path) = split_application(path);
    let key = presented_key(headers)
        .filter(|key| key.starts_with("qk_"))
        .map(|key| active.key(key).ok_or(KEY_UNKNOWN))
        .transpose()?;
    if key.and_then(|key| key.expires_at).is_some_and(|end| end <= now) {
        return Err(KEY_EXPIRED);
    }
    let name = match (prefixed, key) {
        (Some(name), Some(key)) if key.application != name => return Err(KEY_OTHER_APPLICATION),
        (Some(name), _) => name,
        (None, Some(key)) => key.application.as_str(),
        (None, None) => return Err(KEY_MISSING),
    };
    let application = active.application(name).ok_or(UNKNOWN_APPLICATION)?;
    if key.is_none() && !application.config.pass_through {
        return Err(PASS_THROUGH_OFF);
    }
    let mut principal = Principal {
        address: Some(address(headers, peer, trusted_proxies).to_string()),
        key: key.map(|key| key.id),
        ..Principal::default()
    };
    identify_user(&mut principal, application, key, headers, now)?;
    Ok(Identity {
        application: Arc::clone(application),
        principal,
        path: path.to_owned(),
        pass_through: key.is_none(),
    })
}

/// Adds what the body claims, where no header claimed anything stronger or equal.
pub(crate) fn identify_from_body(principal: &mut Principal, request: &ParsedRequest) {
    let asserted = |claim: &Option<String>| {
        claim.as_deref().and_then(|value| graded(value, TrustGrade::Asserted))
    };
    if principal.user.is_none() {
        principal.user = asserted(&request.user);
    }
    if principal.session.is_none() {
        principal.session = asserted(&request.session);
    }
}

/// `/a/shop/v1/messages` is (`shop`, `/v1/messages`); anything else has no application in it.
fn split_application(path: &str) -> (Option<&str>, &str) {
    let Some(rest) = path.strip_prefix("/a/") else { return (None, path) };
    match rest.find('/') {
        Some(slash) => (Some(&rest[..slash]), &rest[slash..]),
        None => (Some(rest), "/"),
    }
}

fn presented_key(headers: &HeaderMap) -> Option<&str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text("authorization").and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
    });
    bearer.or_else(|| text("x-api-key")).or_else(|| text("api-key"))
}

fn identify_user(
    principal: &mut Principal,
    application: &ActiveApplication,
    key: Option<&KeyBinding>,
    headers: &HeaderMap,
    now: Timestamp,
) -> Result<(), Unidentified> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let refusing = |message| Unidentified { reason: RefusalReason::Unauthorized, message };
    if let (Some(_), Secret::Missing) = (text("x-quell-user-token"), &application.user_token_secret)
    {
        return Err(refusing("user tokens cannot be verified at the moment; tell the operator"));
    }
    if let (Some(presented), Secret::Known(secret)) =
        (text("x-quell-user-token"), &application.user_token_secret)
    {
        let claims = token::verify(presented, secret, &application.config.name, now).map_err(|_| {
            Unidentified {
                reason: RefusalReason::Unauthorized,
                message: "the user token does not verify; send a current HS256 token with sub and exp",
            }
        })?;
        principal.user = graded(&claims.sub, TrustGrade::Authenticated);
        principal.session =
            claims.sid.as_deref().and_then(|sid| graded(sid, TrustGrade::Authenticated));
    }
    if principal.user.is_none() {
        principal.user = key
            .and_then(|key| key.user.as_deref())
            .and_then(|user| graded(user, TrustGrade::Authenticated))
            .or_else(|| text("x-quell-user").and_then(|user| graded(user, TrustGrade::Asserted)));
    }
    let verified =
        principal.user.as_ref().is_some_and(|user| user.grade == TrustGrade::Authenticated);
    if application.config.user_token == UserToken::Required && !verified {
        return Err(refusing(
            "this application serves verified users only; send a user token as `x-quell-user-token`",
        ));
    }
    if principal.session.is_none() {
        principal.session =
            text("x-quell-session").and_then(|session| graded(session, TrustGrade::Asserted));
    }
    Ok(())
}

fn graded(value: &str, grade: TrustGrade) -> Option<Graded> {
    let value = value.trim();
    let clean = !value.chars().any(char::is_control);
    (!value.is_empty() && value.len() <= CLAIM_BYTES_MAX && clean)
        .then(|| Graded { value: value.to_owned(), grade })
}

/// The right-most hop that is not a trusted proxy, if the peer is one; else the peer. A hop that
/// cannot be read ends the search: what stands left of it may be the client's own words.
fn address(headers: &HeaderMap, peer: SocketAddr, trusted: &[IpAddr]) -> IpAddr {
    let peer = peer.ip().to_canonical();
    if !trusted.contains(&peer) {
        return peer;
    }
    let lines: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect();
    for hop in lines.iter().flat_map(|line| line.split(',')).rev() {
        match hop_address(hop.trim()) {
            Some(address) if trusted.contains(&address) => {}
            Some(address) => return address,
            None => return peer,
        }
    }
    peer
}

/// `ip`, `ip:port` or `[ip]:port`, as proxies write it.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let address = hop.parse::<IpAddr>().or_else(|_| hop.parse::<SocketAddr>().map(|a| a.ip()));
    let bare = || hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    address.ok().or_else(bare).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_cannot_choose_its_address_behind_a_trusted_proxy() {
        let proxy: IpAddr = "10.0.0.1".parse().unwrap();
        let check = |forwarded: &str, peer: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", forwarded.parse().unwrap());
            address(&headers, format!("{peer}:5000").parse().unwrap(), &[proxy]).to_string()
        };
        assert_eq!(check("203.0.113.9", "10.0.0.1"), "203.0.113.9");
        assert_eq!(check("10.9.9.9, 203.0.113.9:4431", "10.0.0.1"), "203.0.113.9");
        assert_eq!(check("10.9.9.9, [2001:db8::1]:443, 10.0.0.1", "10.0.0.1"), "2001:db8::1");
        assert_eq!(check("10.9.9.9, nonsense", "10.0.0.1"), "10.0.0.1");
        assert_eq!(check("10.9.9.9", "198.51.100.7"), "198.51.100.7", "nobody's proxy");
    }

    #[test]
    fn control_characters_are_no_name() {
        assert_eq!(graded("a\u{0}b", TrustGrade::Asserted), None);
        assert!(graded(" ada ", TrustGrade::Asserted).is_some_and(|user| user.value == "ada"));
    }
}
