//! What every screen's handler rests on: who asks, what the form says, how refusals look.

pub(crate) mod cookies;
pub(crate) mod events;
pub(crate) mod failure;
pub(crate) mod fields;
pub(crate) mod headers;
pub(crate) mod upload;
pub(crate) mod visitor;

pub(crate) use failure::Failure;
pub(crate) use fields::Posted;
pub(crate) use visitor::Signed;

/// `path` with the `pairs` whose value is not empty as its query.
pub(crate) fn link(path: &str, pairs: &[(&str, &str)]) -> String {
    let mut link = String::from(path);
    for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        link.push(if link.contains('?') { '&' } else { '?' });
        link.push_str(name);
        link.push('=');
        link.push_str(&segment(value));
    }
    link
}

/// `text` as one segment of a path, or one value of a query.
pub(crate) fn segment(text: &str) -> String {
    let mut segment = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            segment.push(char::from(byte));
        } else {
            segment.push('%');
            segment.push_str(&hex::encode_upper([byte]));
        }
    }
    segment
}

#[cfg(test)]
mod tests {
    #[test]
    fn links_carry_any_text() {
        let link = super::link("/a", &[("q", "x&y=ü"), ("empty", ""), ("z", "1")]);
        assert_eq!(link, "/a?q=x%26y%3D%C3%BC&z=1");
    }
}
