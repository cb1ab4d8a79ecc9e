//! Golden vectors: `x_i = frac(i φ) + shift [i >= cp]` and `b_i = [frac(i φ) < p]`, where
//! river's detectors fire.

use quell_baselines::stream::{Adwin, Ddm, HddmA, HddmW, Mode, PageHinkley};

pub(crate) fn frac(i: usize) -> f64 {
    (i as f64 * 0.618_033_988_749_894_9).fract()
}

fn shifted(n: usize, cp: usize, shift: f64) -> impl Iterator<Item = f64> {
    (0..n).map(move |i| frac(i) + if i >= cp { shift } else { 0.0 })
}

fn hits() -> impl Iterator<Item = bool> {
    (0..4_000).map(|i| frac(i) < if i >= 2_000 { 0.2 } else { 0.05 })
}

fn fired<T>(values: impl Iterator<Item = T>, mut update: impl FnMut(T) -> bool) -> Vec<usize> {
    values.enumerate().filter_map(|(i, x)| update(x).then_some(i)).collect()
}

#[test]
fn adwin_cuts_where_river_does() {
    let mut adwin = Adwin::default();
    assert_eq!(fired(shifted(2_000, 1_000, 0.3), |x| adwin.update(x)), [1_087]);
    let mut adwin = Adwin::default();
    assert_eq!(fired(shifted(20_000, 10_000, 0.05), |x| adwin.update(x)), [10_943]);
}

#[test]
fn page_hinkley_fires_where_river_does() {
    let mut test = PageHinkley::default();
    assert_eq!(fired(shifted(2_000, 1_000, 0.3), |x| test.update(x)), [1_184]);
    let mut test = PageHinkley::new(0.05, 10.0, Mode::Up);
    assert_eq!(fired(shifted(2_000, 1_000, 0.3), |x| test.update(x)), [1_040]);
}

#[test]
fn rate_detectors_fire_where_river_does() {
    let (mut ddm, mut a, mut w) = (Ddm::default(), HddmA::default(), HddmW::default());
    assert_eq!(fired(hits(), |x| ddm.update(x)), [2_128]);
    assert_eq!(fired(hits(), |x| a.update(x)), [2_170]);
    assert_eq!(fired(hits(), |x| w.update(x)), [0usize; 0]);
}

#[test]
fn adwin_stays_small_and_takes_no_harm_from_what_is_no_number() {
    let mut adwin = Adwin::default();
    for i in 0..200_000 {
        adwin.update(frac(i));
        adwin.update(f64::NAN);
        adwin.update(f64::INFINITY);
    }
    assert!((adwin.mean() - 0.5).abs() < 0.01);
    let size = serde_json::to_vec(&adwin).unwrap().len();
    assert!(size < 8_000, "{size} bytes");
    let again: Adwin = serde_json::from_slice(&serde_json::to_vec(&adwin).unwrap()).unwrap();
    assert!((again.mean() - adwin.mean()).abs() < 1e-12);
}
