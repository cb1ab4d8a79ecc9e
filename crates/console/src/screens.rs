//! Every screen in every sample state: for tests, and for looking at.

use crate::assets;
use crate::render::{Page, RenderError, page};
use crate::sample;
use crate::shell::{Section, Theme};

/// One rendered sample.
#[derive(Debug)]
pub struct Screen {
    /// `incident-active`.
    pub name: String,
    /// The page.
    pub html: String,
}

/// Renders every sample of every screen, assets under `prefix`.
pub fn all(theme: Theme, prefix: &str) -> Result<Vec<Screen>, RenderError> {
    use Section as S;
    let mut set = Set { theme, prefix, screens: Vec::new() };
    set.add("setup", None, crate::setup::context::Setup::samples())?;
    set.add("sign-in", None, crate::sign_in::context::SignIn::samples())?;
    set.add("overview", Some(S::Overview), crate::overview::context::Overview::samples())?;
    set.add("incidents", Some(S::Incidents), crate::incidents::context::Incidents::samples())?;
    set.add("incident", Some(S::Incidents), crate::incident::context::samples())?;
    set.add("declare", Some(S::Incidents), crate::incident::context::Declare::samples())?;
    set.add(
        "containment",
        Some(S::Containment),
        crate::containment::context::Containment::samples(),
    )?;
    set.add("confirm", Some(S::Containment), crate::confirm::context::Confirm::samples())?;
    set.add(
        "interactions",
        Some(S::Interactions),
        crate::interactions::context::Interactions::samples(),
    )?;
    set.add(
        "interaction",
        Some(S::Interactions),
        crate::interaction::context::InteractionPage::samples(),
    )?;
    set.add("detections", Some(S::Detections), crate::detections::context::Detections::samples())?;
    set.add("try", Some(S::Detections), crate::detections::proposed::Proposed::samples())?;
    set.add("rule", Some(S::Detections), crate::rule::context::RulePage::samples())?;
    set.add("models", Some(S::Detections), crate::models::context::Models::samples())?;
    set.add("signal", Some(S::Detections), crate::signal::context::SignalPage::samples())?;
    set.add("baselines", Some(S::Baselines), crate::baselines::context::Baselines::samples())?;
    set.add("baseline", Some(S::Baselines), crate::baselines::context::Baseline::samples())?;
    set.add("people", Some(S::People), crate::people::context::People::samples())?;
    set.add("settings", Some(S::Settings), crate::settings::context::Settings::samples())?;
    set.add(
        "application",
        Some(S::Settings),
        crate::application::context::ApplicationPage::samples(),
    )?;
    set.add("error", None, crate::errors::context::ErrorPage::samples())?;
    Ok(set.screens)
}

struct Set<'a> {
    theme: Theme,
    prefix: &'a str,
    screens: Vec<Screen>,
}

impl Set<'_> {
    fn add<P: Page>(
        &mut self,
        screen: &str,
        section: Option<Section>,
        samples: Vec<(&'static str, P)>,
    ) -> Result<(), RenderError> {
        let shell = sample::shell(section, self.theme, self.prefix);
        for (state, context) in samples {
            let html = page(&shell, &context)?;
            self.screens.push(Screen { name: format!("{screen}-{state}"), html });
        }
        Ok(())
    }
}

/// Writes every sample and the assets into `directory`; returns the names of the pages.
pub fn write(directory: &std::path::Path, theme: Theme) -> std::io::Result<Vec<String>> {
    std::fs::create_dir_all(directory.join("assets"))?;
    for asset in assets::all() {
        std::fs::write(directory.join("assets").join(&asset.name), asset.body)?;
    }
    let screens = all(theme, "assets/").map_err(std::io::Error::other)?;
    let mut names = Vec::with_capacity(screens.len());
    for screen in screens {
        std::fs::write(directory.join(format!("{}.html", screen.name)), screen.html)?;
        names.push(screen.name);
    }
    Ok(names)
}
