//! The colour pairs of the style sheet against WCAG 2.2 AA, light and dark.

use std::collections::BTreeMap;

const CSS: &str = include_str!("../../src/assets/style.css");

type Rgb = [u8; 3];

/// `--name: light-dark(#aabbcc, #ddeeff);` → light and dark.
fn pairs() -> BTreeMap<&'static str, [Rgb; 2]> {
    CSS.split(';')
        .filter_map(|line| {
            let (name, value) = line.split_once(": light-dark(#")?;
            let name = name.rsplit("--").next()?;
            let (light, dark) = value.trim_end_matches(')').split_once(", #")?;
            Some((name, [rgb(light)?, rgb(dark)?]))
        })
        .collect()
}

fn rgb(hex: &str) -> Option<Rgb> {
    let channel = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    Some([channel(0)?, channel(2)?, channel(4)?])
}

fn luminance(colour: Rgb) -> f64 {
    let [r, g, b] = colour.map(|channel| {
        let c = f64::from(channel) / 255.0;
        if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

fn contrast(a: Rgb, b: Rgb) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn check(front: &str, back: &str, least: f64) {
    let pairs = pairs();
    let colour = |name: &str| *pairs.get(name).expect(name);
    for (theme, front_colour, back_colour) in
        [("light", colour(front)[0], colour(back)[0]), ("dark", colour(front)[1], colour(back)[1])]
    {
        let ratio = contrast(front_colour, back_colour);
        assert!(ratio >= least, "{theme}: --{front} on --{back} is {ratio:.2}, needs {least}");
    }
}

#[test]
fn text_reads_on_every_surface() {
    for back in ["bg", "surface", "sunken", "hover"] {
        for front in ["text", "muted", "accent"] {
            check(front, back, 4.5);
        }
    }
    check("text", "accent-soft", 4.5);
    check("muted", "accent-soft", 4.5);
    check("accent", "accent-soft", 4.5);
    check("text", "found", 4.5);
    check("on-solid", "accent-solid", 4.5);
    check("on-solid", "accent-solid-hover", 4.5);
    check("on-solid", "stop-solid", 4.5);
    check("critical-ink", "surface", 4.5);
    check("ok-ink", "surface", 4.5);
    check("muted", "quiet-soft", 4.5);
}

#[test]
fn chips_read_and_their_shapes_stand_out() {
    for tone in ["critical", "high", "medium", "low", "ok", "wait", "quiet"] {
        check(&format!("{tone}-ink"), &format!("{tone}-soft"), 4.5);
        check(&format!("{tone}-mark"), &format!("{tone}-soft"), 3.0);
        check(&format!("{tone}-mark"), "surface", 3.0);
    }
}

#[test]
fn edges_of_fields_and_buttons_are_visible() {
    check("line-strong", "surface", 3.0);
    check("line-strong", "bg", 3.0);
    check("line-strong", "sunken", 3.0);
    check("accent", "surface", 3.0);
}

#[test]
fn known_ratios_come_out() {
    assert!((contrast([0; 3], [255; 3]) - 21.0).abs() < 0.01);
    assert!((contrast([119; 3], [255; 3]) - 4.48).abs() < 0.01);
}
