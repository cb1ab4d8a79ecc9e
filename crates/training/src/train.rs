//! The whole training: first stage, second stage, calibration, each on texts that the stage before
//! has not seen.

use std::collections::BTreeMap;

use quell_detection::classifier::pool::{FIGURES, Table, figures};
use quell_detection::classifier::{Combiner, Description, Model};
use quell_domain::interaction::Role;

use crate::figures::{Judged, quantile};
use crate::sample::{Kind, Sample};
use crate::{stage1, stage2};

/// How a model is trained.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings {
    /// Of the first stage.
    pub first: stage1::Settings,
    /// Of the second stage.
    pub second: stage2::Settings,
}

/// A trained model with the scores it was calibrated on.
#[derive(Debug)]
pub struct Trained {
    /// The model.
    pub model: Model,
    /// Every sample that is an attack or harmless, judged by stages that have not seen its source.
    pub judged: Vec<Judged>,
    /// Harmful requests against ordinary ones, judged in the same way.
    pub harm: Vec<Judged>,
    /// The sample that each of `judged` is about, by number.
    pub order: Vec<usize>,
}

/// Parts the sources are split into; each is judged by stages trained on the others.
const PARTS: usize = 8;
const SEED: u64 = 0x5eed;

/// Which question a judge answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Question {
    User,
    Document,
    Harm,
}

impl Question {
    /// Whether the sample belongs to the question, and on which side.
    fn side(self, sample: &Sample) -> Option<bool> {
        let document = sample.role == Role::Tool;
        match self {
            Self::User => sample.kind.attack().filter(|_| !document),
            Self::Document => sample.kind.attack().filter(|_| document),
            Self::Harm if document => None,
            Self::Harm => match sample.kind {
                Kind::Harmful => Some(true),
                Kind::Request | Kind::Document | Kind::Mention => Some(false),
                _ => None,
            },
        }
    }
}

/// Trains a model on `samples`; `progress` is told the share that is done.
pub fn train(samples: &[Sample], settings: &Settings, mut progress: impl FnMut(f32)) -> Trained {
    let parts = parts(samples);
    let names = fact_names(samples);
    let weights = weights(samples);
    let mut seen_by_none: Vec<[f32; FIGURES]> = vec![[0.0; FIGURES]; samples.len()];
    for part in 0..PARTS {
        let table = first(samples, &weights, settings, |index| parts[index] != part);
        for (index, sample) in samples.iter().enumerate() {
            if parts[index] == part {
                seen_by_none[index] = figures(&table, &sample.text);
            }
        }
        progress((part + 1) as f32 / (PARTS + 3) as f32);
    }
    let table = first(samples, &weights, settings, |_| true);
    progress((PARTS + 1) as f32 / (PARTS + 3) as f32);
    let judge =
        |question| second(samples, &weights, &seen_by_none, &parts, &names, settings, question);
    let (user, on_user) = judge(Question::User);
    let (document, on_document) = judge(Question::Document);
    let (harm, on_harm) = judge(Question::Harm);
    progress(1.0);
    let judged =
        |scores: &[(usize, f32)], combiner: &Combiner, attack: &dyn Fn(&Sample) -> bool| {
            scores
                .iter()
                .map(|(index, logit)| Judged {
                    source: samples[*index].source.clone(),
                    attack: attack(&samples[*index]),
                    score: combiner.score(*logit),
                })
                .collect::<Vec<_>>()
        };
    let is_attack = |sample: &Sample| sample.kind.attack() == Some(true);
    let order = on_user.iter().chain(&on_document).map(|(index, _)| *index).collect();
    let mut all = judged(&on_user, &user, &is_attack);
    all.extend(judged(&on_document, &document, &is_attack));
    let harm_judged = judged(&on_harm, &harm, &|sample| sample.kind == Kind::Harmful);
    let description = Description {
        name: String::new(),
        data_sha256: String::new(),
        scale: table.scale,
        bias: table.bias,
        user,
        document,
        harm,
    };
    Trained { model: Model { description, table }, judged: all, harm: harm_judged, order }
}

fn first(
    samples: &[Sample],
    weights: &[f32],
    settings: &Settings,
    takes: impl Fn(usize) -> bool,
) -> Table {
    let chosen: Vec<(&Sample, f32)> = samples
        .iter()
        .enumerate()
        .filter(|(index, sample)| sample.trains && takes(*index))
        .map(|(index, sample)| (sample, weights[index]))
        .collect();
    stage1::train(&chosen, &settings.first, SEED)
}

/// A judge, and the logits that judges which have not seen the sources give.
fn second(
    samples: &[Sample],
    weights: &[f32],
    figures: &[[f32; FIGURES]],
    parts: &[usize],
    names: &[String],
    settings: &Settings,
    question: Question,
) -> (Combiner, Vec<(usize, f32)>) {
    let points: Vec<(usize, stage2::Point)> = samples
        .iter()
        .enumerate()
        .filter_map(|(index, sample)| {
            let positive = question.side(sample)?;
            let number = |fact: &String| names.binary_search(fact).ok();
            let facts = sample.facts.iter().filter_map(number).collect();
            let weight = weights[index];
            Some((index, stage2::Point { figures: figures[index], facts, positive, weight }))
        })
        .collect();
    let fit = |takes: &dyn Fn(usize) -> bool| {
        let mut chosen: Vec<stage2::Point> = points
            .iter()
            .filter(|(index, _)| samples[*index].trains && takes(*index))
            .map(|(_, point)| point.clone())
            .collect();
        even(&mut chosen);
        stage2::train(&chosen, names, &settings.second, SEED)
    };
    let mut logits = Vec::new();
    for part in 0..PARTS {
        let judge = fit(&|index| parts[index] != part);
        for (index, point) in points.iter().filter(|(index, _)| parts[*index] == part) {
            let facts = samples[*index].facts.iter().map(String::as_str);
            logits.push((*index, judge.logit(&point.figures, facts)));
        }
    }
    let mut judge = fit(&|_| true);
    calibrate(&mut judge, samples, &logits, |sample| question.side(sample) == Some(true));
    (judge, logits)
}

/// Both sides weigh the same, and the mean weight is 1.
fn even(points: &mut [stage2::Point]) {
    let mass = |side: bool| -> f32 {
        points.iter().filter(|point| point.positive == side).map(|point| point.weight).sum()
    };
    let (some, none) = (mass(true).max(1e-6), mass(false).max(1e-6));
    let half = points.len() as f32 / 2.0;
    for point in points {
        point.weight *= half / if point.positive { some } else { none };
    }
}

/// Harmless sources with fewer rows say nothing about rates of false alarms.
const ENOUGH: usize = 100;
/// Harmless sources that look like attacks: their rate may be higher.
const HARD: [&str; 3] = ["gpteacher-roleplay", "cyberseceval", "plexpt-actas"];

/// How far the shipped threshold is moved towards the certain one, for sources to come.
const MARGIN: f32 = 0.4;

/// Puts the shipped threshold at 0.5 and the certain one at 0.9.
fn calibrate(
    judge: &mut Combiner,
    samples: &[Sample],
    logits: &[(usize, f32)],
    positive: impl Fn(&Sample) -> bool,
) {
    let mut by_source: BTreeMap<&str, Vec<f32>> = BTreeMap::new();
    for (index, logit) in logits {
        if !positive(&samples[*index]) && !samples[*index].own() {
            by_source.entry(&samples[*index].source).or_default().push(*logit);
        }
    }
    let mut all: Vec<f32> = by_source.values().flatten().copied().collect();
    all.sort_by(f32::total_cmp);
    let mut shipped = quantile(&all, 0.005);
    for (source, scores) in by_source.iter_mut().filter(|(_, scores)| scores.len() >= ENOUGH) {
        scores.sort_by(f32::total_cmp);
        let hard = HARD.iter().any(|hard| source.starts_with(hard));
        shipped = shipped.max(quantile(scores, if hard { 0.02 } else { 0.007 }));
    }
    let certain = quantile(&all, 0.001).max(shipped + 0.5);
    let shipped = shipped + MARGIN * (certain - shipped);
    judge.calibration = points(&all, shipped, certain);
    judge.certain = 0.9;
}

/// Harmless texts of a role without which its thresholds stay as they are.
const CALIBRATES: usize = 1000;

/// Moves the shipped threshold of each role to the logit that `rate` of the harmless `samples`
/// exceed, and the certain one to a fifth of that. Returns what was set.
pub fn recalibrate(model: &mut Model, samples: &[Sample], rate: f64) -> Vec<&'static str> {
    let mut set = Vec::new();
    let description = &mut model.description;
    for (name, judge, role) in [
        ("user", &mut description.user, Role::User),
        ("document", &mut description.document, Role::Tool),
        ("harm", &mut description.harm, Role::User),
    ] {
        let mut logits: Vec<f32> = samples
            .iter()
            .filter(|sample| sample.role == role && sample.kind.attack() == Some(false))
            .map(|sample| {
                let facts = sample.facts.iter().map(String::as_str);
                judge.logit(&figures(&model.table, &sample.text), facts)
            })
            .collect();
        if logits.len() < CALIBRATES {
            continue;
        }
        logits.sort_by(f32::total_cmp);
        let shipped = quantile(&logits, rate);
        let certain = quantile(&logits, rate / 5.0).max(shipped + 0.5);
        judge.calibration = points(&logits, shipped, certain);
        set.push(name);
    }
    set
}

/// A calibration over sorted harmless logits.
fn points(sorted: &[f32], shipped: f32, certain: f32) -> Vec<(f32, f32)> {
    let low = quantile(sorted, 0.1).min(shipped - 0.5);
    let bottom = sorted.first().copied().unwrap_or(low).min(low - 1.0);
    let top = sorted.last().copied().unwrap_or(certain).max(certain + 4.0);
    vec![(bottom, 0.0), (low, 0.1), (shipped, 0.5), (certain, 0.9), (top, 1.0)]
}

/// How much each sample counts: sources by the square root of their size, so that large ones do
/// not drown the rest.
fn weights(samples: &[Sample]) -> Vec<f32> {
    let mut sizes: BTreeMap<(&str, Kind), usize> = BTreeMap::new();
    for sample in samples.iter().filter(|sample| sample.trains) {
        *sizes.entry((&sample.source, sample.kind)).or_default() += 1;
    }
    samples
        .iter()
        .map(|sample| {
            let size = sizes.get(&(sample.source.as_str(), sample.kind)).copied().unwrap_or(1);
            1.0 / (size.max(25) as f32).sqrt()
        })
        .collect()
}

/// The part that each sample falls into: sources of the same corpus stay together, what was
/// written here is spread over all parts.
fn parts(samples: &[Sample]) -> Vec<usize> {
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for sample in samples.iter().filter(|sample| !sample.own()) {
        *sizes.entry(family(&sample.source)).or_default() += 1;
    }
    let mut order: Vec<(&str, usize)> = sizes.into_iter().collect();
    order.sort_by_key(|(name, size)| (std::cmp::Reverse(*size), *name));
    let part: BTreeMap<&str, usize> =
        order.iter().enumerate().map(|(place, (name, _))| (*name, place % PARTS)).collect();
    let of = |(index, sample): (usize, &Sample)| {
        part.get(family(&sample.source)).copied().unwrap_or(index % PARTS)
    };
    samples.iter().enumerate().map(of).collect()
}

/// The corpus of a source: `cyberseceval-frr-mt` and `cyberseceval-frr` are one.
fn family(source: &str) -> &str {
    source.split_once('-').map_or(source, |(corpus, _)| corpus)
}

fn fact_names(samples: &[Sample]) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for fact in samples.iter().flat_map(|sample| &sample.facts) {
        *counts.entry(fact).or_default() += 1;
    }
    counts.into_iter().filter(|(_, count)| *count >= 3).map(|(name, _)| name.to_owned()).collect()
}
