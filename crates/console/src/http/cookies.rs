//! The three cookies: session, theme, and the token of forms before sign-in.

use axum::http::{HeaderMap, HeaderValue, header};

/// The session. HttpOnly, SameSite=Lax.
pub(crate) const SESSION: &str = "quell_session";
/// The colour scheme.
pub(crate) const THEME: &str = "quell_theme";
/// What forms before sign-in derive their token from.
pub(crate) const VISIT: &str = "quell_visit";

/// The cookie called `name`, as the browser sent it.
pub(crate) fn get<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// A `Set-Cookie` value. `seconds` zero deletes the cookie; none ends it with the browser.
pub(crate) fn set(name: &str, value: &str, seconds: Option<u32>, secure: bool) -> HeaderValue {
    let age = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
    let secure = if secure { "; Secure" } else { "" };
    HeaderValue::from_str(&format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{age}{secure}"))
        .unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; quell_theme=dark"));
        headers.append(header::COOKIE, HeaderValue::from_static("quell_session=x=y; b"));
        assert_eq!(get(&headers, THEME), Some("dark"));
        assert_eq!(get(&headers, SESSION), Some("x=y"));
        assert_eq!(get(&headers, VISIT), None);
    }

    #[test]
    fn a_value_that_is_no_header_sets_nothing() {
        assert_eq!(set(THEME, "a\nb", None, false), "");
        assert_eq!(
            set(SESSION, "s", Some(0), true),
            "quell_session=s; Path=/; HttpOnly; SameSite=Lax; Max-Age=0; Secure"
        );
    }
}
