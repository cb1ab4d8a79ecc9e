//! A score that adds up over requests and fades: one hit is forgotten, a series is not.
//!
//! Each new suspicious finding adds up to 1; half of the sum is gone after [`HALF_LIFE_US`].
//! A finding counts once per principal, so an old turn that every request repeats adds nothing.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

/// After this long half of a score is left, microseconds (30 minutes).
pub const HALF_LIFE_US: i64 = 30 * 60 * 1_000_000;
/// Scores below this add nothing.
pub const FLOOR: f32 = 0.2;
/// A principal whose score reaches this is worth watching.
pub const ELEVATED: f64 = 1.5;
/// A principal whose score reaches this works against the application.
pub const HIGH: f64 = 3.0;
/// Findings remembered per principal, so that each counts once.
const REMEMBERED: usize = 64;
/// Principals kept per trust; the tenth that has been quiet longest goes first.
pub const MAX_PRINCIPALS: usize = 10_000;

/// What one request adds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Weight {
    /// The higher of the attack and the harm score, 0 to 1.
    pub score: f32,
    /// The model or the gateway refused it.
    pub refused: bool,
}

/// How far a principal has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// Nothing to say.
    Calm,
    /// [`ELEVATED`] was reached.
    Elevated,
    /// [`HIGH`] was reached.
    High,
}

/// One principal's score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionScore {
    score: f64,
    at: i64,
    risk: Risk,
    known: VecDeque<u64>,
}

impl Default for SessionScore {
    fn default() -> Self {
        Self { score: 0.0, at: 0, risk: Risk::Calm, known: VecDeque::new() }
    }
}

impl SessionScore {
    /// The score at `now`, microseconds since 1970.
    pub fn at(&self, now: i64) -> f64 {
        // A record that comes late fades nothing and does not turn time back.
        let passed = now.saturating_sub(self.at).max(0) as f64;
        self.score * (-passed / HALF_LIFE_US as f64).exp2()
    }

    /// Adds one request about `finding` (a hash of what was found suspicious); the risk it raises
    /// the principal to, if it does. A risk is stated again only after the score fell below half
    /// of its limit.
    pub fn push(&mut self, now: i64, finding: u64, weight: Weight) -> Option<Risk> {
        let mut score = self.at(now);
        let fallen = match self.risk {
            Risk::High if score < HIGH / 2.0 => Risk::Elevated,
            risk => risk,
        };
        let fallen = if score < ELEVATED / 2.0 { Risk::Calm } else { fallen };
        let repeated = self.known.contains(&finding);
        if !repeated {
            self.known.push_back(finding);
            if self.known.len() > REMEMBERED {
                self.known.pop_front();
            }
            score += increment(weight);
        }
        self.score = score;
        self.at = self.at.max(now);
        let reached = match score {
            score if score >= HIGH => Risk::High,
            score if score >= ELEVATED => Risk::Elevated,
            _ => Risk::Calm,
        };
        self.risk = fallen.max(reached);
        (self.risk > fallen).then_some(self.risk)
    }
}

/// What a request adds: its score above the floor, and a fifth more when it was refused.
fn increment(weight: Weight) -> f64 {
    let above = (weight.score - FLOOR).max(0.0) / (1.0 - FLOOR);
    let refusal = if weight.refused && above > 0.0 { 0.2 } else { 0.0 };
    f64::from(above.min(1.0)) + refusal
}

/// The scores of one application, limited apart for principals anybody can make up.
#[derive(Debug, Clone)]
pub struct SessionScores {
    of: [BTreeMap<String, SessionScore>; 2],
    max: usize,
}

impl Default for SessionScores {
    fn default() -> Self {
        Self::with_max(MAX_PRINCIPALS)
    }
}

impl SessionScores {
    /// Keeps at most `max` principals of each trust.
    pub fn with_max(max: usize) -> Self {
        Self { of: Default::default(), max: max.max(1) }
    }

    /// Adds one suspicious request of a principal; the risk it is raised to, if it is.
    pub fn push(
        &mut self,
        principal: &str,
        trusted: bool,
        now: i64,
        finding: u64,
        weight: Weight,
    ) -> Option<Risk> {
        let scores = &mut self.of[usize::from(trusted)];
        let raised = match scores.get_mut(principal) {
            Some(score) => score.push(now, finding, weight),
            None => scores.entry(principal.to_owned()).or_default().push(now, finding, weight),
        };
        if scores.len() > self.max {
            evict(scores);
        }
        raised
    }

    /// A principal's score at `now`; 0 for one that is not known.
    pub fn score(&self, principal: &str, now: i64) -> f64 {
        let known = self.of.iter().filter_map(|scores| scores.get(principal));
        known.map(|score| score.at(now)).fold(0.0, f64::max)
    }

    /// Principals known now.
    pub fn len(&self) -> usize {
        self.of.iter().map(BTreeMap::len).sum()
    }

    /// Whether nobody is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One principal's state for keeping; none when it is not known.
    pub fn saved(&self, principal: &str, trusted: bool) -> Option<Vec<u8>> {
        let score = self.of[usize::from(trusted)].get(principal)?;
        serde_json::to_vec(score).ok()
    }

    /// Puts one principal's kept state back; false when the bytes are not one.
    pub fn restore(&mut self, principal: &str, trusted: bool, bytes: &[u8]) -> bool {
        let Ok(score) = serde_json::from_slice(bytes) else { return false };
        let scores = &mut self.of[usize::from(trusted)];
        scores.insert(principal.to_owned(), score);
        if scores.len() > self.max {
            evict(scores);
        }
        true
    }
}

/// Drops the tenth that has been quiet longest.
fn evict(scores: &mut BTreeMap<String, SessionScore>) {
    let mut ages: Vec<(i64, String)> =
        scores.iter().map(|(name, score)| (score.at, name.clone())).collect();
    ages.sort();
    let tenth = ages.len().div_ceil(10);
    for (_, name) in ages.into_iter().take(tenth) {
        scores.remove(&name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60 * 1_000_000;
    const FULL: Weight = Weight { score: 1.0, refused: false };

    #[test]
    fn a_series_raises_the_risk_once_and_fading_arms_it_again() {
        let mut score = SessionScore::default();
        let raised: Vec<Option<Risk>> =
            (0..6).map(|n| score.push(n * MINUTE, n as u64, FULL)).collect();
        assert_eq!(raised[1], Some(Risk::Elevated));
        assert_eq!(raised[3], Some(Risk::High));
        assert_eq!(raised.iter().flatten().count(), 2);
        let later = 6 * 60 * MINUTE;
        assert!(score.at(later) < 0.01);
        assert_eq!(score.push(later, 90, FULL), None);
        assert_eq!(score.push(later, 91, FULL), Some(Risk::Elevated));
    }

    #[test]
    fn half_is_left_after_the_half_life() {
        let mut score = SessionScore::default();
        score.push(0, 1, FULL);
        assert!((score.at(HALF_LIFE_US) - 0.5).abs() < 1e-9);
        assert!((score.at(-5) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn an_old_turn_repeated_by_every_request_counts_once() {
        let mut score = SessionScore::default();
        for n in 0..50 {
            assert_eq!(score.push(n * MINUTE, 7, FULL), None);
        }
        assert!(score.at(50 * MINUTE) < 1.0);
    }

    #[test]
    fn made_up_principals_do_not_push_real_ones_out() {
        let mut scores = SessionScores::with_max(100);
        scores.push("user:real", true, 0, 1, FULL);
        for n in 0..1_000 {
            scores.push(&format!("session:{n}"), false, n, 1, FULL);
        }
        assert!(scores.len() <= 101, "{}", scores.len());
        assert!(scores.score("user:real", 0) > 0.9);
        let saved = scores.saved("user:real", true).expect("known");
        let mut other = SessionScores::default();
        assert!(other.restore("user:real", true, &saved));
        assert!((other.score("user:real", 0) - 1.0).abs() < 1e-9);
        assert!(!other.restore("user:x", true, b"nonsense"));
    }
}
