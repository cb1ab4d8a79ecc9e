//! Renders every screen with sample data and photographs it in headless Chromium.
//!
//! `cargo run -p quell-console --example screens -- <folder> [--only <text>] [--no-pictures]`
//!
//! Pages go to `<folder>/<theme>/`, pictures to `<folder>/pictures/<screen>-<width>-<theme>.png`.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use quell_console::screens;
use quell_console::shell::Theme;

/// Phone, tablet, desk.
const WIDTHS: [u32; 3] = [390, 820, 1440];

#[expect(clippy::print_stderr, reason = "this is a command for people")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(folder) = arguments.first() else {
        eprintln!("usage: screens <folder> [--only <text>] [--no-pictures]");
        return ExitCode::from(2);
    };
    let only = arguments.iter().position(|a| a == "--only").and_then(|at| arguments.get(at + 1));
    let pictures = !arguments.iter().any(|a| a == "--no-pictures");
    match run(Path::new(folder), only.map(String::as_str), pictures) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("screens: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(folder: &Path, only: Option<&str>, pictures: bool) -> std::io::Result<()> {
    let album = folder.join("pictures");
    std::fs::create_dir_all(&album)?;
    let album = album.canonicalize()?;
    for theme in [Theme::Light, Theme::Dark] {
        let directory = folder.join(theme.as_str());
        let names = screens::write(&directory, theme)?;
        if !pictures {
            continue;
        }
        let directory = directory.canonicalize()?;
        for name in names.iter().filter(|name| only.is_none_or(|text| name.contains(text))) {
            for width in WIDTHS {
                let page = format!("file://{}", directory.join(format!("{name}.html")).display());
                let picture = album.join(format!("{name}-{width}-{}.png", theme.as_str()));
                photograph(&page, &picture, width)?;
            }
        }
    }
    Ok(())
}

/// One picture, in a frame of the page's own width so that narrow ones are truly narrow.
fn photograph(page: &str, picture: &Path, width: u32) -> std::io::Result<()> {
    let profile = tempfile::tempdir()?;
    let frame = profile.path().join("frame.html");
    let height = 2_400;
    std::fs::write(
        &frame,
        format!(
            "<!doctype html><style>*{{margin:0}}iframe{{border:0;display:block}}</style>\
             <iframe src=\"{page}\" width=\"{width}\" height=\"{height}\"></iframe>"
        ),
    )?;
    let status = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--hide-scrollbars", "--allow-file-access-from-files", "--virtual-time-budget=2000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--window-size={width},{height}"))
        .arg(format!("--screenshot={}", picture.display()))
        .arg(format!("file://{}", frame.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if status.success() && picture.exists() {
        return Ok(());
    }
    Err(std::io::Error::other(format!("chromium took no picture of {page}")))
}
