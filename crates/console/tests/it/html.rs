//! Every sample of every screen, looked at as markup.

use quell_console::screens::{self, Screen};
use quell_console::shell::Theme;

/// A page must paint at once, also on a bad connection.
const PAGE_BYTES_MAX: usize = 50 * 1024;

fn screens() -> Vec<Screen> {
    let mut screens =
        screens::all(Theme::Auto, "/assets/").expect("every sample fills its template");
    for screen in &mut screens {
        // The engine escapes slashes too; browsers read them back.
        screen.html = screen.html.replace("&#x2f;", "/");
    }
    screens
}

/// The parts of `html` between `start` and `end`, tags included.
fn elements<'a>(html: &'a str, start: &str, end: &str) -> Vec<&'a str> {
    html.match_indices(start)
        .map(|(at, _)| {
            let rest = &html[at..];
            &rest[..rest.find(end).map_or(rest.len(), |to| to + end.len())]
        })
        .collect()
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    tag[start..].split('"').next()
}

#[test]
fn every_sample_renders() {
    assert!(screens().len() >= 35);
}

#[test]
fn every_form_that_changes_something_has_a_token() {
    for screen in screens() {
        for form in elements(&screen.html, "<form", "</form>") {
            if form.contains("method=\"post\"") {
                assert!(form.contains("name=\"csrf\" value=\"0f1e"), "{}: {form}", screen.name);
            }
        }
    }
}

#[test]
fn nothing_is_inline() {
    for screen in screens() {
        assert!(!screen.html.contains("<style"), "{}", screen.name);
        assert!(!screen.html.contains(" style="), "{}", screen.name);
        assert!(!screen.html.contains("javascript:"), "{}", screen.name);
        assert!(!screen.html.contains(" onclick="), "{}", screen.name);
        for script in elements(&screen.html, "<script", "</script>") {
            assert!(script.contains("src=\"/assets/"), "{}: {script}", screen.name);
        }
    }
}

#[test]
fn every_field_has_a_label() {
    for screen in screens() {
        for start in ["<input", "<select", "<textarea"] {
            for tag in elements(&screen.html, start, ">") {
                let kind = attribute(tag, "type").unwrap_or("text");
                if matches!(kind, "hidden" | "radio" | "checkbox") {
                    continue;
                }
                let id = attribute(tag, "id").expect(tag);
                let label = format!("<label for=\"{id}\"");
                let hidden = format!("<label class=\"sr\" for=\"{id}\"");
                assert!(
                    screen.html.contains(&label) || screen.html.contains(&hidden),
                    "{}: no label for {id}",
                    screen.name
                );
            }
        }
    }
}

#[test]
fn ids_are_unique_and_anchors_lead_somewhere() {
    for screen in screens() {
        let mut ids: Vec<&str> = elements(&screen.html, "<", ">")
            .into_iter()
            .filter_map(|tag| attribute(tag, "id"))
            .collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "{}: an id is used twice", screen.name);
        for link in elements(&screen.html, "<a ", ">") {
            if let Some(anchor) = attribute(link, "href").and_then(|href| href.strip_prefix('#')) {
                assert!(ids.contains(&anchor), "{}: #{anchor} leads nowhere", screen.name);
            }
        }
    }
}

#[test]
fn every_page_has_one_heading_and_a_title() {
    for screen in screens() {
        assert_eq!(screen.html.matches("<h1").count(), 1, "{}", screen.name);
        assert!(screen.html.contains("<title>"), "{}", screen.name);
        assert!(!screen.html.contains("undefined"), "{}", screen.name);
    }
}

#[test]
fn every_page_is_light() {
    for screen in screens() {
        assert!(
            screen.html.len() < PAGE_BYTES_MAX,
            "{} weighs {} bytes",
            screen.name,
            screen.html.len()
        );
    }
}

#[test]
fn tags_are_balanced() {
    const VOID: [&str; 6] = ["meta", "link", "input", "br", "rect", "path"];
    for screen in screens() {
        let mut open: Vec<&str> = Vec::new();
        for tag in elements(&screen.html, "<", ">") {
            let closing = tag.starts_with("</");
            let name = tag
                .trim_start_matches(['<', '/'])
                .split(|c: char| !c.is_ascii_alphanumeric())
                .next()
                .unwrap_or_default();
            if closing {
                let last = open.pop();
                if !VOID.contains(&name) || last == Some(name) {
                    assert_eq!(last, Some(name), "{}: {tag} closes the wrong one", screen.name);
                } else {
                    open.extend(last);
                }
            } else if !name.is_empty() && !tag.ends_with("/>") && !tag.starts_with("<!") {
                let always_open = matches!(name, "rect" | "path") && !tag.ends_with("/>");
                if !VOID.contains(&name) || always_open {
                    open.push(name);
                }
            }
        }
        assert!(open.is_empty(), "{}: never closed: {open:?}", screen.name);
    }
}

#[test]
fn text_behind_a_reason_is_not_in_the_page_before() {
    let screens = screens();
    let html = |name: &str| {
        &screens.iter().find(|screen| screen.name == name).expect("the sample exists").html
    };
    assert!(html("interaction-revealed").contains("Let us play a game"));
    assert!(!html("interaction-hidden").contains("Let us play a game"));
}

#[test]
fn the_script_stays_small() {
    let script = include_str!("../../src/assets/app.js");
    assert!(script.lines().count() < 250);
    assert!(!script.contains("innerHTML"), "text never becomes markup");
    assert!(!script.contains("eval("));
}
