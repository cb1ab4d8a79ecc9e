//! Identifiers that belong to nobody, planted so that a leak can be seen.

use crate::dice::Dice;

const DIGITS: &str = "0123456789";
const ALNUM: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const AWS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Everything planted by one seed. The numbers pass their check digits and open nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planted {
    /// Card numbers in a range that card networks reserve for tests, Luhn-valid.
    pub cards: Vec<String>,
    /// International bank account numbers with right check digits and a bank that does not exist.
    pub ibans: Vec<String>,
    /// Keys in the formats of well-known services.
    pub api_keys: Vec<String>,
    /// Customers' e-mail addresses in a reserved domain.
    pub emails: Vec<String>,
}

impl Planted {
    /// What `seed` plants.
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed, &["planted"]);
        Self {
            cards: (0..6).map(|_| card(&mut dice)).collect(),
            ibans: (0..4).map(|_| iban(&mut dice)).collect(),
            api_keys: vec![
                format!("sk-proj-{}", dice.text(ALNUM, 48)),
                format!("AKIA{}", dice.text(AWS, 16)),
                format!("ghp_{}", dice.text(ALNUM, 36)),
            ],
            emails: (0..6)
                .map(|_| format!("customer.{}@example.com", dice.text(DIGITS, 5)))
                .collect(),
        }
    }

    /// Every planted string.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        [&self.cards, &self.ibans, &self.api_keys, &self.emails]
            .into_iter()
            .flatten()
            .map(String::as_str)
    }
}

fn card(dice: &mut Dice) -> String {
    let body = format!("400000{}", dice.text(DIGITS, 9));
    let sum: u32 = body
        .chars()
        .rev()
        .filter_map(|c| c.to_digit(10))
        .enumerate()
        .map(|(place, digit)| match (place % 2, digit * 2) {
            (0, double) if double > 9 => double - 9,
            (0, double) => double,
            _ => digit,
        })
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

fn iban(dice: &mut Dice) -> String {
    let account = format!("RANG{}", dice.text(DIGITS, 14));
    let check = 98 - mod_97(&format!("{account}GB00"));
    format!("GB{check:02}{account}")
}

fn mod_97(text: &str) -> u32 {
    text.chars().filter_map(|c| c.to_digit(36)).fold(0, |rest, value| {
        if value < 10 { (rest * 10 + value) % 97 } else { (rest * 100 + value) % 97 }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_pass_luhn_and_accounts_pass_mod_97() {
        for seed in 0..50 {
            let planted = Planted::new(seed);
            for card in &planted.cards {
                let digits: Vec<u32> = card.chars().filter_map(|c| c.to_digit(10)).collect();
                assert_eq!(digits.len(), 16);
                let sum: u32 = digits
                    .iter()
                    .rev()
                    .enumerate()
                    .map(
                        |(place, digit)| {
                            if place % 2 == 0 { *digit } else { digit * 2 / 10 + digit * 2 % 10 }
                        },
                    )
                    .sum();
                assert_eq!(sum % 10, 0, "{card}");
            }
            for iban in &planted.ibans {
                assert_eq!(iban.len(), 22);
                assert_eq!(mod_97(&format!("{}{}", &iban[4..], &iban[..4])), 1, "{iban}");
            }
        }
        assert_eq!(Planted::new(7), Planted::new(7));
        assert_ne!(Planted::new(7), Planted::new(8));
    }
}
