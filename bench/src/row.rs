//! What was measured, and the two statistics made of it.

use serde::Serialize;

/// One target in one scenario in one round.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    /// From 1.
    pub round: u32,
    pub scenario: &'static str,
    pub target: &'static str,
    /// Requests answered, or tokens received on streams.
    pub count: u64,
    /// Anything else than a whole answer with status 200. A row with one is not used.
    pub failures: u64,
    pub seconds: f64,
    /// Processor time of the target's process per request, microseconds.
    pub cpu_us: f64,
    /// Of the whole exchange, or of one token's lag behind its sending, microseconds.
    pub p50_us: f64,
    pub p99_us: f64,
    /// To the first token, streams only, microseconds.
    pub first_token_us: Option<f64>,
    /// Runnable processes on this machine over the last minute.
    pub load_average: f64,
}

/// The value that `share` of `values` do not exceed.
pub(crate) fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let rank = (values.len() as f64 * share).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

/// The middle; of an even number the lower one.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    percentile(&mut values.into_iter().filter(|value| value.is_finite()).collect::<Vec<_>>(), 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let mut values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&mut values, 0.5).to_bits(), 50_f64.to_bits());
        assert_eq!(percentile(&mut values, 0.99).to_bits(), 99_f64.to_bits());
        assert_eq!(median([3.0, f64::NAN, 1.0, 2.0]).to_bits(), 2_f64.to_bits());
        assert!(median([]).is_nan());
    }
}
