//! A form with a file, as browsers send it (`multipart/form-data`).

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header;

use crate::Console;
use crate::http::fields::{Fields, comes_from_elsewhere};
use crate::http::{Failure, Signed};

/// Most parts of a form.
const PARTS_MAX: usize = 16;
/// Longest head of a part, bytes.
const HEAD_BYTES_MAX: usize = 4 * 1024;

/// A form of a signed-in person with one file, which is empty if none was chosen.
#[derive(Debug, Clone)]
pub(crate) struct Uploaded {
    pub(crate) by: Signed,
    pub(crate) fields: Fields,
    pub(crate) file: Bytes,
}

impl FromRequest<Console> for Uploaded {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &Console) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        let by = match Signed::from_request_parts(&mut parts, state).await {
            Ok(by) => by,
            Err(Failure::SignIn(_)) => return Err(Failure::SignIn("/".into())),
            Err(failure) => return Err(failure),
        };
        if comes_from_elsewhere(&parts.headers) {
            return Err(Failure::new(403, "This form was sent from another site."));
        }
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let boundary = kind.and_then(boundary).map(str::to_owned);
        let boundary = boundary.ok_or_else(|| Failure::new(415, "This form needs a file."))?;
        let body = Bytes::from_request(Request::from_parts(parts, body), state).await.map_err(
            |rejection| Failure::new(rejection.status().as_u16(), "The file is too large."),
        )?;
        let (fields, file) = read(&body, &boundary)
            .ok_or_else(|| Failure::invalid("The form came damaged. Send it again."))?;
        fields.check_token(&by.csrf)?;
        Ok(Self { by, fields, file })
    }
}

/// What stands between the parts.
fn boundary(kind: &str) -> Option<&str> {
    let (kind, rest) = kind.split_once(';')?;
    let boundary = rest.split(';').find_map(|part| part.trim().strip_prefix("boundary="))?;
    let boundary = boundary.trim_matches('"');
    let fits = kind.trim().eq_ignore_ascii_case("multipart/form-data");
    (fits && (1..=70).contains(&boundary.len())).then_some(boundary)
}

/// The fields of a form and its file; none if it is damaged.
fn read(body: &Bytes, boundary: &str) -> Option<(Fields, Bytes)> {
    let (mut fields, mut file) = (Vec::new(), Bytes::new());
    let between = format!("\r\n--{boundary}");
    let first = format!("--{boundary}");
    let mut at = body.starts_with(first.as_bytes()).then_some(first.len())?;
    for _ in 0..=PARTS_MAX {
        let rest = body.get(at..)?;
        if rest.starts_with(b"--") {
            return Some((Fields::from(fields), file));
        }
        let rest = rest.strip_prefix(b"\r\n")?;
        let start = body.len() - rest.len();
        let head_end = find(rest.get(..rest.len().min(HEAD_BYTES_MAX))?, b"\r\n\r\n")?;
        let head = std::str::from_utf8(rest.get(..head_end)?).ok()?;
        let from = start + head_end + 4;
        let to = from + find(body.get(from..)?, between.as_bytes())?;
        let (name, is_file) = named(head)?;
        if is_file {
            file = body.slice(from..to);
        } else {
            fields.push((name.to_owned(), String::from_utf8(body.get(from..to)?.to_vec()).ok()?));
        }
        at = to + between.len();
    }
    None
}

/// The name of a part, and whether it is a file.
fn named(head: &str) -> Option<(&str, bool)> {
    let line = head.lines().find(|line| {
        line.split(':').next().is_some_and(|name| name.eq_ignore_ascii_case("content-disposition"))
    })?;
    let mut pieces = line.split(';').map(str::trim);
    let name = pieces.find_map(|piece| piece.strip_prefix("name=\""))?.strip_suffix('"')?;
    Some((name, pieces.any(|piece| piece.starts_with("filename="))))
}

fn find(within: &[u8], what: &[u8]) -> Option<usize> {
    within.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "--B\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\nabc\r\n--B\r\n\
        Content-Disposition: form-data; name=\"model\"; filename=\"m.qcm\"\r\n\
        Content-Type: application/octet-stream\r\n\r\n\u{1}\r\n--C\r\n\r\n--B--\r\n";

    #[test]
    fn fields_and_the_file_come_exactly() {
        let body = Bytes::from_static(FORM.as_bytes());
        let (fields, file) = read(&body, "B").expect("a form");
        assert_eq!(fields.get("csrf"), "abc");
        assert_eq!(&file[..], b"\x01\r\n--C\r\n");
        assert_eq!(boundary("multipart/form-data; boundary=B"), Some("B"));
        assert_eq!(boundary("multipart/form-data; boundary=\"a b\""), Some("a b"));
        assert_eq!(boundary("application/json; boundary=B"), None);
    }

    #[test]
    fn what_is_cut_or_endless_is_refused() {
        for cut in 0..FORM.len() - 4 {
            let body = Bytes::copy_from_slice(&FORM.as_bytes()[..cut]);
            assert!(read(&body, "B").is_none(), "{cut}");
        }
        let part = "--B\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\nx\r\n";
        let many = Bytes::from(format!("{}--B--", part.repeat(PARTS_MAX + 1)));
        assert!(read(&many, "B").is_none());
        let some = Bytes::from(format!("{}--B--", part.repeat(PARTS_MAX)));
        assert!(read(&some, "B").is_some());
    }
}
