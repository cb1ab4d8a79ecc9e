//! What a form says. Nothing is believed before its token is.

use axum::extract::{Form, FromRequest, FromRequestParts, Request};
use axum::http::HeaderMap;
use subtle::ConstantTimeEq;

use crate::Console;
use crate::http::visitor::visit_token;
use crate::http::{Failure, Signed, cookies};

/// Fields of a form, trimmed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// The field called `name`; empty if it is missing.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.trim())
    }

    /// The same, none if empty.
    pub(crate) fn some(&self, name: &str) -> Option<&str> {
        Some(self.get(name)).filter(|value| !value.is_empty())
    }

    /// A secret exactly as typed.
    pub(crate) fn exact(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// Refuses a form that does not carry `token`.
    pub(crate) fn check_token(&self, token: &str) -> Result<(), Failure> {
        let given = self.exact("csrf").as_bytes();
        if token.is_empty() || !bool::from(given.ct_eq(token.as_bytes())) {
            let message = "The form is too old. Reload the page and send it again.";
            return Err(Failure::new(403, message));
        }
        Ok(())
    }

    /// A value of a closed list.
    pub(crate) fn parse<T>(&self, name: &str) -> Result<T, Failure>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        self.get(name).parse().map_err(|error: T::Err| Failure::invalid(error.to_string()))
    }
}

impl From<Vec<(String, String)>> for Fields {
    fn from(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }
}

/// A form of a signed-in person.
#[derive(Debug, Clone)]
pub(crate) struct Posted {
    pub(crate) by: Signed,
    pub(crate) fields: Fields,
}

impl FromRequest<Console> for Posted {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &Console) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        let by = match Signed::from_request_parts(&mut parts, state).await {
            Ok(by) => by,
            // Coming back to a form's target would only give an error.
            Err(Failure::SignIn(_)) => return Err(Failure::SignIn("/".into())),
            Err(failure) => return Err(failure),
        };
        let expected = by.csrf.clone();
        let fields = read(Request::from_parts(parts, body), &expected).await?;
        Ok(Self { by, fields })
    }
}

/// A form of somebody not signed in yet.
#[derive(Debug, Clone)]
pub(crate) struct Knocked(pub(crate) Fields);

impl FromRequest<Console> for Knocked {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &Console) -> Result<Self, Failure> {
        let cookie = cookies::get(request.headers(), cookies::VISIT).unwrap_or_default();
        let expected = if cookie.is_empty() { String::new() } else { visit_token(cookie) };
        Ok(Self(read(request, &expected).await?))
    }
}

async fn read(request: Request, token: &str) -> Result<Fields, Failure> {
    if comes_from_elsewhere(request.headers()) {
        return Err(Failure::new(403, "This form was sent from another site."));
    }
    let Form(pairs) = Form::<Vec<(String, String)>>::from_request(request, &())
        .await
        .map_err(|rejection| Failure::new(rejection.status().as_u16(), ""))?;
    let fields = Fields(pairs);
    fields.check_token(token)?;
    Ok(fields)
}

/// Browsers say where a request was started; who does not say is held by the token alone.
pub(crate) fn comes_from_elsewhere(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn form(body: &'static str, site: Option<&'static str>) -> Request {
        let mut request = Request::builder()
            .method("POST")
            .header("content-type", "application/x-www-form-urlencoded");
        if let Some(site) = site {
            request = request.header("sec-fetch-site", site);
        }
        request.body(Body::from(body)).expect("a request")
    }

    #[tokio::test]
    async fn a_form_without_the_right_token_is_refused() {
        for (body, site, token, taken) in [
            ("csrf=abc&a=1", None, "abc", true),
            ("csrf=abc&a=1", Some("same-origin"), "abc", true),
            ("csrf=abc&a=1", Some("cross-site"), "abc", false),
            ("csrf=abc&a=1", Some("same-site"), "abc", false),
            ("csrf=abd&a=1", None, "abc", false),
            ("a=1", None, "abc", false),
            ("csrf=&a=1", None, "", false),
        ] {
            assert_eq!(read(form(body, site), token).await.is_ok(), taken, "{body} {site:?}");
        }
    }

    #[tokio::test]
    async fn fields_are_trimmed_and_secrets_are_not() {
        let fields = read(form("csrf=t&p=+a+&q=+", None), "t").await.expect("the token is right");
        assert_eq!(fields.get("p"), "a");
        assert_eq!(fields.exact("p"), " a ");
        assert_eq!(fields.some("q"), None);
        assert_eq!(fields.some("missing"), None);
    }
}
