//! When the second opinion is asked, and what becomes of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use quell_detection::{
    Band, Budget, Context, Findings, PatternSet, Review, RuleSet, Second, SecondOpinion,
};
use quell_domain::interaction::{Endpoint, Role, TextField};
use quell_domain::principal::Principal;
use quell_onnx::{OnnxClassifier, OnnxError, OnnxOptions};

use crate::model::{Shape, write};

fn options(folder: &tempfile::TempDir, shape: Shape) -> OnnxOptions {
    let (model, tokenizer) = write(folder.path(), shape);
    OnnxOptions { model, tokenizer, label: 1, threshold: 0.5, tokens: 128, parallel: 1 }
}

#[test]
fn a_model_is_asked_about_texts_short_and_long() {
    let folder = tempfile::tempdir().unwrap();
    let model = OnnxClassifier::load(&options(&folder, Shape::Sound)).unwrap();
    assert!(model.attack("an Attack on you").unwrap() > 0.9);
    assert!(model.attack("harmless harmless").unwrap() < 0.4);
    let far = format!("{}{}", "harmless and so on ".repeat(2_000), "attack ".repeat(9));
    assert!(model.attack(&far).unwrap() > 0.9, "the end of a long text counts");
    assert!((model.attack("").unwrap() - 0.5).abs() < 1e-3, "no word says anything");
}

#[test]
fn what_cannot_be_used_is_refused_when_it_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let sound = options(&folder, Shape::Sound);
    let error = |options: &OnnxOptions| OnnxClassifier::load(options).unwrap_err().to_string();
    let gone = OnnxOptions { model: folder.path().join("none.onnx"), ..sound.clone() };
    assert!(error(&gone).contains("none.onnx"));
    let swapped = OnnxOptions { tokenizer: sound.model.clone(), ..sound.clone() };
    assert!(error(&swapped).contains("tokenizer.json"));
    let noise = OnnxOptions { model: sound.tokenizer.clone(), ..sound.clone() };
    assert!(matches!(OnnxClassifier::load(&noise), Err(OnnxError::Shape { .. })));
    let label = OnnxOptions { label: 7, ..sound.clone() };
    assert!(error(&label).contains("no label 7"), "{}", error(&label));
    let none = OnnxOptions { parallel: 0, ..sound };
    assert!(error(&none).contains("parallel"));
    for (shape, said) in [(Shape::UnknownInput, "pixels"), (Shape::Embeddings, "128 values")] {
        let error = error(&options(&folder, shape));
        assert!(error.contains(said), "{error}");
    }
}

/// Says the same about everything, and counts.
#[derive(Debug)]
struct Fixed {
    says: Option<f32>,
    asked: AtomicUsize,
}

impl SecondOpinion for Fixed {
    fn sha256(&self) -> &'static str {
        "fixed"
    }
    fn attack(&self, _text: &str) -> Option<f32> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.says
    }
}

fn judged(second: Arc<dyn SecondOpinion>, band: Band, text: &str) -> Findings {
    let rules = RuleSet::embedded().unwrap();
    let rules = rules.with_second_opinion(Some(Second { opinion: second, band }));
    let (principal, parameters) = (Principal::default(), serde_json::Map::new());
    let context = Context {
        application: "shop",
        endpoint: Endpoint::ChatCompletions,
        model: None,
        principal: &principal,
        system_text: "",
        canaries: &[],
        tools_offered: &[],
        review: Review::default(),
        stream: false,
        parameters: &parameters,
    };
    let field = TextField {
        field: "/messages/0/content".into(),
        role: Role::User,
        part: "content".into(),
        text: text.into(),
    };
    let (none, mut budget) = (PatternSet::empty(), Budget::new(64 << 20));
    let id = "int_018f0000000070008000000000000001".parse().unwrap();
    rules.inspect_request(&context, &none, &[field], &mut budget, id, None)
}

const ALWAYS: Band = Band { low: 0.0, high: 1.1 };

#[test]
fn it_replaces_a_score_in_the_band_and_no_other() {
    let text = "What is the weather like in Oslo?";
    let fixed = |says| Arc::new(Fixed { says, asked: AtomicUsize::new(0) });
    let sure = fixed(Some(0.95));
    let findings = judged(Arc::clone(&sure) as _, ALWAYS, text);
    assert!((findings.scores.attack - 0.95).abs() < 1e-6);
    assert!(findings.facts.iter().any(|fact| fact == "classifier.attack.certain"));
    assert_eq!(sure.asked.load(Ordering::Relaxed), 1);
    let never = fixed(Some(0.95));
    let findings = judged(Arc::clone(&never) as _, Band { low: 0.9, high: 0.95 }, text);
    assert_eq!((findings.scores.attack < 0.5, never.asked.load(Ordering::Relaxed)), (true, 0));
    let busy = judged(fixed(None), ALWAYS, text);
    assert!(busy.not_evaluated.iter().any(|missing| missing.reason == "second_opinion"));
    assert!(busy.scores.attack < 0.5, "the first judgement stands");
}

#[test]
fn the_model_decides_through_the_rules() {
    let folder = tempfile::tempdir().unwrap();
    let model = Arc::new(OnnxClassifier::load(&options(&folder, Shape::Sound)).unwrap());
    assert!(judged(Arc::clone(&model) as _, ALWAYS, "attack").scores.attack > 0.9);
    assert!(judged(model, ALWAYS, "harmless").scores.attack < 0.5);
}
