//! S2 and the Bernoulli CUSUM against `tests/oracle/s2.py`.

use serde::Deserialize;

use crate::cell::{COLUMNS, Row};
use crate::metric::{Change, METRICS, Metric};
use crate::rate::Rate;
use crate::seasonal::{Level, Terms};
use crate::series::{Basis, Series, logarithm};

#[derive(Deserialize)]
struct Golden {
    flags: Vec<(usize, i8)>,
    z: Vec<(usize, f64)>,
    expected: Vec<(usize, f64)>,
    rate_alarms: Vec<usize>,
    rate_sums: Vec<(usize, f64)>,
    rate_usual: Vec<(usize, f64)>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../tests/golden/oracle.json")).unwrap()
}

fn frac(i: usize) -> f64 {
    (i as f64 * 0.618_033_988_749_894_9).fract()
}

const DAY: usize = 288;

fn requests() -> Vec<f32> {
    let mut x: Vec<f64> = (0..35 * DAY)
        .map(|i| {
            let hour = (i % DAY) as f64 / 12.0;
            let base = 1.0 + 0.6 * (std::f64::consts::TAU * (hour - 8.0) / 24.0).sin();
            let base = if i / DAY % 7 >= 5 { 0.4 * base } else { base };
            let noise = 0.2 * (frac(i) - 0.5) + 0.1 * (frac(i * 7 + 3) - 0.5);
            (200.0 * base * noise.exp()).floor()
        })
        .collect();
    for (at, cells, factor) in
        [(7_000, 6, 3.0), (7_600, 12, 0.3), (8_200, 40, 1.25), (9_000, 1, 2.5), (9_600, 2, 1.8)]
    {
        for x in &mut x[at..at + cells] {
            *x = (*x * factor).floor();
        }
    }
    x.into_iter().map(|x| x as f32).collect()
}

#[test]
fn seasonal_level_and_cusum_equal_the_oracle() {
    let golden = golden();
    let (mut series, mut level) = (Series::new(300, 0), Level::default());
    let (mut flags, mut z, mut expected) = (Vec::new(), Vec::new(), Vec::new());
    for x in requests() {
        let mut row: Row = [f32::NAN; COLUMNS];
        row[Metric::Requests.index()] = x;
        let basis = series.basis();
        if let Some((old, new)) = series.basis_change(Metric::Requests) {
            level.rebase(old, new);
        }
        let season = series.season(Metric::Requests, basis).unwrap();
        let sensitivity = match basis {
            Basis::Nothing => None,
            Basis::Day => Some(1.5),
            Basis::Week => Some(1.0),
        };
        let terms = Terms { width: 1.0, training: DAY, sensitivity };
        let l = logarithm(Metric::Requests, &row).unwrap();
        let verdict = level.step(l, season, None, &terms);
        if let Some(change) = verdict.flagged {
            flags.push((series.len(), if change == Change::Up { 1 } else { -1 }));
        }
        z.push(verdict.z);
        expected.push(verdict.expected);
        let mut row_expected = [f32::NAN; METRICS];
        row_expected[Metric::Requests.index()] = verdict.expected as f32;
        series.push(row, row_expected);
        if level.wants_scale() {
            level.rescale(series.residuals(Metric::Requests).collect());
        }
    }
    assert_eq!(flags, golden.flags);
    for (at, wanted) in golden.z {
        assert!((z[at] - wanted).abs() < 1e-3, "z[{at}] {} {wanted}", z[at]);
    }
    for (at, wanted) in golden.expected {
        assert!((expected[at] / wanted - 1.0).abs() < 1e-5, "{at} {} {wanted}", expected[at]);
    }
}

#[test]
fn bernoulli_cusum_equals_the_oracle() {
    let golden = golden();
    let (mut rate, mut sums, mut usual) = (Rate::default(), Vec::new(), Vec::new());
    for i in 0..6_000 {
        let n = (100.0 + 40.0 * frac(i)).floor();
        let mut k = (n * 0.04 * (0.5 + frac(i * 3 + 1))).floor();
        for (at, cells, add) in [(3_000, 12, 0.06), (4_000, 12, 0.02), (5_000, 30, 0.05)] {
            if (at..at + cells).contains(&i) {
                k += (n * add).round_ties_even();
            }
        }
        usual.push(rate.usual(None));
        let verdict = rate.step(k, n, 300, None, Some(1.0));
        assert_eq!(verdict.flagged.is_some(), golden.rate_alarms.contains(&i), "cell {i}");
        sums.push(verdict.z);
    }
    for (at, wanted) in golden.rate_sums {
        assert!((sums[at] - wanted).abs() < 1e-6, "sum[{at}] {} {wanted}", sums[at]);
    }
    for (at, wanted) in golden.rate_usual {
        assert!((usual[at] - wanted).abs() < 1e-9, "p0[{at}] {} {wanted}", usual[at]);
    }
}
