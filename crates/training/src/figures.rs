//! Figures of a detector by source: recall at bounded false alarms, and ranking.

use std::collections::BTreeMap;

/// One judged text.
#[derive(Debug, Clone)]
pub struct Judged {
    /// Where it comes from.
    pub source: String,
    /// Whether it should be flagged.
    pub attack: bool,
    /// The score.
    pub score: f32,
}

/// Recall of one source.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Recall {
    /// The source, or `(smaller)` for those below the bound.
    pub source: String,
    /// Attacks.
    pub rows: usize,
    /// Share above the threshold of 1 % false alarms.
    pub at_1_percent: f64,
    /// Share above the threshold of 0.1 % false alarms.
    pub at_01_percent: f64,
    /// Share at or above the shipped threshold.
    pub flagged: f64,
    /// Ranking against all harmless texts.
    pub auroc: f64,
}

/// False alarms of one source.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Alarms {
    /// The source.
    pub source: String,
    /// Harmless texts.
    pub rows: usize,
    /// Share at or above the shipped threshold.
    pub flagged: f64,
}

/// The figures of a set of judged texts.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Figures {
    /// The score above which 1 % of the harmless texts lie.
    pub threshold_1_percent: f64,
    /// The score above which 0.1 % of the harmless texts lie.
    pub threshold_01_percent: f64,
    /// Mean over sources.
    pub mean_1_percent: f64,
    /// Mean over sources.
    pub mean_01_percent: f64,
    /// Mean over sources, at the shipped threshold.
    pub mean_flagged: f64,
    /// Mean over sources.
    pub mean_auroc: f64,
    /// By source of attacks.
    pub recall: Vec<Recall>,
    /// By source of harmless texts.
    pub alarms: Vec<Alarms>,
}

/// Sources with fewer attacks are pooled.
pub const SMALL: usize = 25;

/// The score that only `rate` of the sorted `scores` exceed.
pub fn quantile(sorted: &[f32], rate: f64) -> f32 {
    let above = (sorted.len() as f64 * rate).floor() as usize;
    let at = sorted.len().checked_sub(above + 1);
    at.and_then(|at| sorted.get(at)).copied().unwrap_or(f32::NEG_INFINITY)
}

/// Area under the ROC curve of `attacks` against sorted harmless scores, ties counted half.
pub fn auroc(attacks: &[f32], sorted: &[f32]) -> f64 {
    let wins: f64 = attacks
        .iter()
        .map(|score| {
            let below = sorted.partition_point(|other| other < score);
            let not_above = sorted.partition_point(|other| other <= score);
            (below + not_above) as f64 / 2.0
        })
        .sum();
    wins / (attacks.len() as f64 * sorted.len() as f64).max(1.0)
}

/// The figures of `judged`, with the shipped threshold `threshold`.
pub fn figures(judged: &[Judged], threshold: f32) -> Figures {
    let mut attacks: BTreeMap<&str, Vec<f32>> = BTreeMap::new();
    let mut harmless: BTreeMap<&str, Vec<f32>> = BTreeMap::new();
    for Judged { source, attack, score } in judged {
        let side = if *attack { &mut attacks } else { &mut harmless };
        side.entry(source).or_default().push(*score);
    }
    let mut sorted: Vec<f32> = harmless.values().flatten().copied().collect();
    sorted.sort_by(f32::total_cmp);
    let (one, tenth) = (quantile(&sorted, 0.01), quantile(&sorted, 0.001));
    let mut small = Vec::new();
    let mut groups: Vec<(String, Vec<f32>)> = Vec::new();
    for (source, scores) in attacks {
        if scores.len() < SMALL {
            small.extend(scores);
        } else {
            groups.push((source.to_owned(), scores));
        }
    }
    if !small.is_empty() {
        groups.push(("(smaller)".to_owned(), small));
    }
    let share = |scores: &[f32], meets: &dyn Fn(f32) -> bool| {
        scores.iter().filter(|score| meets(**score)).count() as f64 / scores.len().max(1) as f64
    };
    let recall: Vec<Recall> = groups
        .into_iter()
        .map(|(source, scores)| Recall {
            source,
            rows: scores.len(),
            at_1_percent: share(&scores, &|score| score > one),
            at_01_percent: share(&scores, &|score| score > tenth),
            flagged: share(&scores, &|score| score >= threshold),
            auroc: auroc(&scores, &sorted),
        })
        .collect();
    let mean = |figure: &dyn Fn(&Recall) -> f64| {
        recall.iter().map(figure).sum::<f64>() / recall.len().max(1) as f64
    };
    Figures {
        threshold_1_percent: f64::from(one),
        threshold_01_percent: f64::from(tenth),
        mean_1_percent: mean(&|recall| recall.at_1_percent),
        mean_01_percent: mean(&|recall| recall.at_01_percent),
        mean_flagged: mean(&|recall| recall.flagged),
        mean_auroc: mean(&|recall| recall.auroc),
        alarms: harmless
            .into_iter()
            .map(|(source, scores)| Alarms {
                source: source.to_owned(),
                rows: scores.len(),
                flagged: share(&scores, &|score| score >= threshold),
            })
            .collect(),
        recall,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_at_the_threshold_are_not_above_it() {
        let sorted: Vec<f32> = (0..1000_u16).map(f32::from).collect();
        assert!((quantile(&sorted, 0.01) - 989.0).abs() < 1e-6);
        assert!((quantile(&sorted, 0.001) - 998.0).abs() < 1e-6);
        assert!((auroc(&[1000.0, -1.0], &sorted) - 0.5).abs() < 1e-9);
        assert!((auroc(&[5.0], &[5.0]) - 0.5).abs() < 1e-9);
    }
}
