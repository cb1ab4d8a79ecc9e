//! A sequence classifier small enough to write by hand: the mean of two weights a token.

use std::path::{Path, PathBuf};

use prost::Message;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};

/// Words the model knows; the last one is what it takes for an attack.
pub(crate) const WORDS: [&str; 4] = ["[PAD]", "[UNK]", "harmless", "attack"];

/// What can be wrong with a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Sound,
    UnknownInput,
    Embeddings,
}

/// Writes a model and its tokenizer.
pub(crate) fn write(folder: &Path, shape: Shape) -> (PathBuf, PathBuf) {
    let (model, tokenizer) = (folder.join("model.onnx"), folder.join("tokenizer.json"));
    std::fs::write(&model, graph(shape).encode_to_vec()).unwrap();
    let vocabulary: Vec<String> =
        WORDS.iter().enumerate().map(|(id, word)| format!("\"{word}\": {id}")).collect();
    let text = format!(
        r#"{{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
            "normalizer": {{"type": "Lowercase"}}, "pre_tokenizer": {{"type": "Whitespace"}},
            "post_processor": null, "decoder": null,
            "model": {{"type": "WordLevel", "vocab": {{{}}}, "unk_token": "[UNK]"}}}}"#,
        vocabulary.join(", ")
    );
    std::fs::write(&tokenizer, text).unwrap();
    (model, tokenizer)
}

/// `logits = mean over tokens of table[input_ids]`, masked.
fn graph(shape: Shape) -> ModelProto {
    let columns: i64 = if shape == Shape::Embeddings { 128 } else { 2 };
    let mut weights = vec![0.0_f32; WORDS.len() * columns as usize];
    // A padded or unknown word says little against, one word of attack in 64 says much for.
    weights[3 * columns as usize + 1] = 640.0;
    weights[2 * columns as usize] = 64.0;
    let table = TensorProto {
        dims: vec![WORDS.len() as i64, columns],
        data_type: DataType::Float as i32,
        float_data: weights,
        name: "table".into(),
        ..TensorProto::default()
    };
    let first = if shape == Shape::UnknownInput { "pixels" } else { "input_ids" };
    let node =
        |op: &str, inputs: &[&str], output: &str, attribute: Vec<AttributeProto>| NodeProto {
            op_type: op.into(),
            name: output.into(),
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output: vec![output.into()],
            attribute,
            ..NodeProto::default()
        };
    let axes = AttributeProto {
        name: "axes".into(),
        r#type: AttributeType::Ints as i32,
        ints: vec![1],
        ..AttributeProto::default()
    };
    let number = |name: &str, i: i64| AttributeProto {
        name: name.into(),
        r#type: AttributeType::Int as i32,
        i,
        ..AttributeProto::default()
    };
    let to_float = number("to", i64::from(DataType::Float as i32));
    let graph = GraphProto {
        name: "classifier".into(),
        node: vec![
            node("Gather", &["table", first], "rows", vec![number("axis", 0)]),
            node("Cast", &["attention_mask"], "mask", vec![to_float]),
            node(
                "Unsqueeze",
                &["mask"],
                "column",
                vec![AttributeProto { ints: vec![2], ..axes.clone() }],
            ),
            node("Mul", &["rows", "column"], "masked", Vec::new()),
            node("ReduceMean", &["masked"], "logits", vec![axes, number("keepdims", 0)]),
        ],
        initializer: vec![table],
        input: vec![value(first, DataType::Int64, 2), value("attention_mask", DataType::Int64, 2)],
        output: vec![value("logits", DataType::Float, 2)],
        ..GraphProto::default()
    };
    ModelProto {
        ir_version: 7,
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 11 }],
        graph: Some(graph),
        ..ModelProto::default()
    }
}

fn value(name: &str, kind: DataType, rank: usize) -> ValueInfoProto {
    let free = |at: usize| Dimension {
        value: Some(dimension::Value::DimParam(format!("d{at}"))),
        ..Dimension::default()
    };
    let tensor = type_proto::Tensor {
        elem_type: kind as i32,
        shape: Some(TensorShapeProto { dim: (0..rank).map(free).collect() }),
    };
    let kind =
        TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() };
    ValueInfoProto { name: name.into(), r#type: Some(kind), ..ValueInfoProto::default() }
}
