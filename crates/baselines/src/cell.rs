//! What was seen in one span of time. Merging is associative and commutative, so gateways may be
//! counted apart and added up in any order.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use datasketches::hll::{HllSketch, HllType, HllUnion};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sketches_ddsketch::{Config, DDSketch};

use crate::metric::{FIRST_RATE, METRICS, Metric, RATES};
use crate::observe::{Observation, SCRIPTS};

/// Values of a closed cell: one per metric, then the two denominators of rates. Not a number where
/// there is none.
pub(crate) type Row = [f32; COLUMNS];
/// Values of a row.
pub(crate) const COLUMNS: usize = METRICS + 2;
/// Column of the exchanges that reached a model.
pub(crate) const ANSWERED: usize = METRICS;
/// Column of the exchanges whose script is known.
pub(crate) const WITH_TEXT: usize = METRICS + 1;

/// Least value of a count, so that silence has a logarithm.
pub(crate) const SILENCE: f32 = 0.5;

/// HyperLogLog registers, as a power of two: 3 % error, at most 1 KiB.
const REGISTERS_LOG: u8 = 10;

/// What was seen in one cell of one scope.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Cell {
    requests: u64,
    answered: u64,
    input: Sum,
    output: Sum,
    chars: Sum,
    /// Millionths of the currency of the application's prices.
    cost: Sum,
    latency: Quantiles,
    first_byte: Quantiles,
    principals: Distinct,
    hits: [u64; RATES],
    scripts: [u64; SCRIPTS],
}

/// A sum and how many it is of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Sum {
    total: u64,
    count: u64,
}

impl Sum {
    fn add(&mut self, value: u64) {
        self.total = self.total.saturating_add(value);
        self.count += 1;
    }

    fn merge(&mut self, other: Self) {
        self.total = self.total.saturating_add(other.total);
        self.count += other.count;
    }

    fn mean(self) -> f32 {
        if self.count == 0 { f32::NAN } else { (self.total as f64 / self.count as f64) as f32 }
    }
}

impl Cell {
    /// Counts one exchange.
    pub fn add(&mut self, seen: &Observation) {
        self.requests += 1;
        self.principals.add(seen.principal);
        let mut hit = |metric: Metric, is: bool| {
            self.hits[metric.index() - FIRST_RATE] += u64::from(is);
        };
        hit(Metric::GuardHits, seen.guard_hit);
        hit(Metric::Duplicates, seen.duplicate);
        if let Some(script) = seen.script {
            self.scripts[script.index()] += 1;
        }
        let Some(answer) = &seen.answer else { return };
        self.answered += 1;
        hit(Metric::ServerErrors, answer.server_error);
        hit(Metric::ClientErrors, answer.client_error);
        hit(Metric::RateLimited, answer.rate_limited);
        hit(Metric::Refusals, answer.refused);
        hit(Metric::ToolUse, answer.tool_call);
        hit(Metric::FinishLength, answer.cut_at_length);
        hit(Metric::FinishFiltered, answer.filtered);
        if let Some(tokens) = answer.input_tokens {
            self.input.add(tokens);
        }
        if let Some(tokens) = answer.output_tokens {
            self.output.add(tokens);
        }
        if let Some(cost) = answer.cost_millionths {
            self.cost.add(cost);
        }
        if !answer.has_failed() {
            self.chars.add(answer.output_chars);
            self.latency.add(answer.latency_us);
            self.first_byte.add(answer.first_byte_us);
        }
    }

    /// Adds what was seen elsewhere in the same span of time.
    pub fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.answered += other.answered;
        self.input.merge(other.input);
        self.output.merge(other.output);
        self.chars.merge(other.chars);
        self.cost.merge(other.cost);
        self.latency.merge(&other.latency);
        self.first_byte.merge(&other.first_byte);
        self.principals.merge(&other.principals);
        for (hits, more) in self.hits.iter_mut().zip(other.hits) {
            *hits += more;
        }
        for (texts, more) in self.scripts.iter_mut().zip(other.scripts) {
            *texts += more;
        }
    }

    /// Exchanges counted.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Texts by script.
    pub(crate) fn scripts(&self) -> &[u64; SCRIPTS] {
        &self.scripts
    }

    /// The values of a cell of `seconds`; `usual` is the application's usual script.
    pub(crate) fn row(&self, seconds: i64, usual: Option<usize>) -> Row {
        let mut row = [f32::NAN; COLUMNS];
        let mut put = |metric: Metric, value: f32| row[metric.index()] = value;
        let minutes = seconds.max(1) as f32 / 60.0;
        put(Metric::Requests, self.requests as f32);
        put(Metric::Principals, self.principals.estimate() as f32);
        put(Metric::InputTokens, self.input.mean());
        put(Metric::OutputTokens, self.output.mean());
        let tokens = self.input.total.saturating_add(self.output.total);
        if self.requests == 0 || self.input.count + self.output.count > 0 {
            put(Metric::TokensPerMinute, tokens as f32 / minutes);
        }
        if self.cost.count > 0 {
            put(Metric::CostPerMinute, (self.cost.total as f64 / 1e6) as f32 / minutes);
        }
        put(Metric::OutputChars, self.chars.mean());
        let quantiles = [
            (&self.latency, [Metric::LatencyP50, Metric::LatencyP95, Metric::LatencyP99]),
            (&self.first_byte, [Metric::FirstByteP50, Metric::FirstByteP95, Metric::FirstByteP99]),
        ];
        for (sketch, metrics) in quantiles {
            for (metric, q) in metrics.into_iter().zip([0.5, 0.95, 0.99]) {
                put(metric, sketch.quantile(q).map_or(f32::NAN, |us| (us / 1e3) as f32));
            }
        }
        for (rate, hits) in self.hits.iter().enumerate() {
            row[FIRST_RATE + rate] = *hits as f32;
        }
        let known: u64 = self.scripts.iter().sum();
        let other = usual.map_or(0, |usual| known - self.scripts[usual]);
        row[Metric::OtherScript.index()] = other as f32;
        row[ANSWERED] = self.answered as f32;
        row[WITH_TEXT] = known as f32;
        row
    }
}

/// The row of a cell in which nothing happened.
pub(crate) fn silent_row() -> Row {
    Cell::default().row(300, None)
}

/// The row of a cell about which nothing is known.
pub(crate) const fn unknown_row() -> Row {
    [f32::NAN; COLUMNS]
}

/// How many exchanges a rate is of.
pub(crate) fn denominator(metric: Metric, row: &Row) -> f32 {
    match metric {
        Metric::GuardHits | Metric::Duplicates => row[Metric::Requests.index()],
        Metric::OtherScript => row[WITH_TEXT],
        _ => row[ANSWERED],
    }
}

/// Quantiles with 1 % relative error: a DDSketch, absent while empty.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Quantiles(Option<DDSketch>);

impl std::fmt::Debug for Quantiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Quantiles({})", self.0.as_ref().map_or(0, DDSketch::count))
    }
}

impl Quantiles {
    /// Microseconds; zero and absent ones are left out.
    fn add(&mut self, value: Option<u64>) {
        let Some(value) = value.filter(|value| *value > 0) else { return };
        self.0.get_or_insert_with(|| DDSketch::new(Config::defaults())).add(value as f64);
    }

    fn merge(&mut self, other: &Self) {
        match (&mut self.0, &other.0) {
            (_, None) => {}
            (None, Some(other)) => self.0 = Some(other.clone()),
            // All sketches have one configuration, so this cannot fail.
            (Some(mine), Some(other)) => drop(mine.merge(other)),
        }
    }

    fn quantile(&self, q: f64) -> Option<f64> {
        self.0.as_ref()?.quantile(q).ok()?
    }
}

/// How many different things were seen: HyperLogLog, absent while empty.
#[derive(Debug, Clone, Default)]
struct Distinct(Option<HllSketch>);

impl Distinct {
    fn add(&mut self, what: u64) {
        if self.0.is_none() {
            self.0 = HllSketch::new(REGISTERS_LOG, HllType::Hll8).ok();
        }
        if let Some(sketch) = &mut self.0 {
            sketch.update(what);
        }
    }

    fn merge(&mut self, other: &Self) {
        let Some(other) = &other.0 else { return };
        let Some(mine) = &self.0 else {
            self.0 = Some(other.clone());
            return;
        };
        if let Ok(mut union) = HllUnion::new(REGISTERS_LOG) {
            union.update(mine);
            union.update(other);
            self.0 = Some(union.to_sketch(HllType::Hll8));
        }
    }

    /// The estimate that does not depend on the order of merging.
    fn estimate(&self) -> f64 {
        self.0.as_ref().map_or(0.0, HllSketch::composite_estimate)
    }
}

impl Serialize for Distinct {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().map(|sketch| STANDARD.encode(sketch.serialize())).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Distinct {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let Some(text) = Option::<String>::deserialize(deserializer)? else {
            return Ok(Self(None));
        };
        let bytes = STANDARD.decode(text).map_err(D::Error::custom)?;
        HllSketch::deserialize(&bytes).map(Some).map(Self).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::observe::Answer;

    fn observations() -> impl Strategy<Value = Vec<Observation>> {
        let one = (0u64..50, 1u64..5_000_000, 0u64..4_000, any::<[bool; 4]>());
        let one = one.prop_map(|(who, latency_us, tokens, flags)| Observation {
            principal: who.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            guard_hit: flags[0],
            duplicate: flags[1],
            answer: flags[2].then(|| Answer {
                refused: flags[3],
                latency_us: Some(latency_us),
                first_byte_us: flags[0].then_some(latency_us / 3),
                input_tokens: Some(tokens),
                output_tokens: flags[1].then_some(tokens / 2),
                ..Answer::default()
            }),
            ..Observation::default()
        });
        prop::collection::vec(one, 0..60)
    }

    fn cell(seen: &[Observation]) -> Cell {
        let mut cell = Cell::default();
        for seen in seen {
            cell.add(seen);
        }
        cell
    }

    fn bits(cell: &Cell) -> Vec<u32> {
        cell.row(300, None).iter().map(|value| value.to_bits()).collect()
    }

    proptest! {
        #[test]
        fn merging_is_associative_and_commutative_and_equals_counting_at_once(
            a in observations(), b in observations(), c in observations(),
        ) {
            let all = cell(&[a.clone(), b.clone(), c.clone()].concat());
            let [a, b, c] = [a, b, c].map(|seen| cell(&seen));
            let merged = |parts: [&Cell; 3]| {
                let mut sum = parts[0].clone();
                sum.merge(parts[1]);
                sum.merge(parts[2]);
                sum
            };
            let mut right = b.clone();
            right.merge(&c);
            let mut nested = a.clone();
            nested.merge(&right);
            for other in [merged([&a, &b, &c]), merged([&c, &a, &b]), merged([&b, &c, &a]), nested] {
                prop_assert_eq!(bits(&all), bits(&other));
            }
        }

        #[test]
        fn a_cell_survives_being_saved(seen in observations(), more in observations()) {
            let mut before = cell(&seen);
            let text = serde_json::to_string(&before).unwrap();
            let mut after: Cell = serde_json::from_str(&text).unwrap();
            for seen in &more {
                before.add(seen);
                after.add(seen);
            }
            prop_assert_eq!(bits(&before), bits(&after));
        }
    }

    #[test]
    fn principals_are_counted_within_a_few_percent() {
        let mut distinct = Distinct::default();
        (0..20_000u64).for_each(|who| distinct.add(who % 10_000));
        assert!((distinct.estimate() - 10_000.0).abs() < 800.0, "{}", distinct.estimate());
    }
}
