//! Checks of matched text that a regex cannot make. Each says how many bytes of the match are valid
//! and, where one pattern stands for several formats, which of them it is.

mod assigned;
mod bank;
mod context;
mod groups;
mod hold;
mod key;
pub(crate) mod lettered;
mod national;
mod number;
mod phone;

pub(crate) use hold::NumberHold;
use serde::Deserialize;

/// A check beyond the regex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Validator {
    /// Any number format that begins with a digit: cards, national numbers, telephones, addresses.
    Number,
    /// E-mail address of somebody: not a repository's (`git@host:path`) nor one nobody reads.
    Email,
    /// International bank account: country length and mod-97.
    Iban,
    /// Key material: random by entropy, no placeholder.
    Key,
    /// Key material that a common prefix announces: letters and digits mixed, too.
    MixedKey,
    /// The same behind a name, which must not be the middle of a longer word.
    NamedKey,
    /// Key whose prefix says what it is: no placeholder.
    Prefixed,
    /// Token of GitHub; one whose check value fits states `secret.github_token_valid`.
    GithubToken,
    /// JSON Web Token: its header is one.
    Jwt,
    /// A name and what it is assigned: a secret's name, and a value that could be one.
    Assigned,
    /// Address of a data store with user and password: not a variable nor the word for one.
    UrlPassword,
    /// Any other address with user and password: not a variable.
    UrlLogin,
}

/// The fact of a key's format without a key.
const MASKED: (&str, &str) =
    ("masked.secret", "the format of a key, filled with one character or said to be an example");
const MASKED_FACTS: &[(&str, &str)] = &[MASKED];
/// Facts about tokens of GitHub.
const GITHUB_FACTS: &[(&str, &str)] =
    &[("secret.github_token_valid", "a GitHub token whose check value fits"), MASKED];

/// What a validator found valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// How many bytes of the match, from its beginning.
    pub length: usize,
    /// The fact to state instead of the pattern's own.
    pub fact: Option<&'static str>,
}

/// Bytes before a match that a validator may look at.
pub const LOOK_BEHIND: usize = 64;

impl Validator {
    /// What of `text` is valid, if anything. `before` is what precedes it in the field, at most
    /// [`LOOK_BEHIND`] bytes.
    pub fn accept(self, before: &[u8], text: &[u8]) -> Option<Accepted> {
        let length = match self {
            Self::Number => return number::accept(before, text),
            Self::Email => is_somebody(text).then_some(text.len()),
            Self::Iban => bank::iban_length(text),
            Self::Key => return key::accept(text, key::is_random(key::body(text))),
            Self::NamedKey => (key::begins_word(before, text) && key::is_mixed(key::body(text)))
                .then(|| key::length(text)),
            Self::Prefixed => return key::accept(text, key::is_prefixed(text)),
            Self::MixedKey => return key::accept(text, key::is_mixed(key::secret_part(text))),
            Self::GithubToken if key::is_random(text) => {
                let fact = key::is_github_checked(text).then_some(GITHUB_FACTS[0].0);
                return Some(Accepted { length: text.len(), fact });
            }
            Self::GithubToken => return key::accept(text, false),
            Self::Jwt => key::is_jwt(text).then_some(text.len()),
            Self::Assigned => assigned::is_secret(before, text).then_some(text.len()),
            Self::UrlPassword => assigned::is_url_password(text, false).then_some(text.len()),
            Self::UrlLogin => assigned::is_url_password(text, true).then_some(text.len()),
        };
        length.map(|length| Accepted { length, fact: None })
    }

    /// Facts the validator may state instead of the pattern's own.
    pub const fn facts(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Number => number::FACTS,
            Self::GithubToken => GITHUB_FACTS,
            Self::Key | Self::Prefixed | Self::MixedKey => MASKED_FACTS,
            _ => &[],
        }
    }
}

/// Local parts behind which nobody reads.
const NOBODY: [&[u8]; 6] =
    [b"git", b"noreply", b"no-reply", b"donotreply", b"do-not-reply", b"mailer-daemon"];

fn is_somebody(address: &[u8]) -> bool {
    let local = address.split(|byte| *byte == b'@').next().unwrap_or_default();
    !NOBODY.iter().any(|name| local.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::Validator::{self, Email, Iban};

    fn check(validator: Validator, text: &str, expected: Option<usize>) {
        let found = validator.accept(b"", text.as_bytes()).map(|found| found.length);
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn ibans_end_where_the_country_says() {
        check(Iban, "DE89 3704 0044 0532 0130 00", Some(27));
        check(Iban, "DE89 3704 0044 0532 0130 00 AND", Some(27));
        check(Iban, "GB82WEST12345698765432", Some(22));
        check(Iban, "GB82WEST12345698765433", None);
        check(Iban, "ZZ82WEST12345698765432", None);
        check(Iban, "DE89", None);
    }

    #[test]
    fn repositories_are_nobody() {
        check(Email, "ada@harbour.test", Some(16));
        check(Email, "git@harbour.test", None);
    }
}
