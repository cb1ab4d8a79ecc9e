//! A small classifier in ONNX, made here, loaded and asked: by itself and through the rules.

#[cfg(test)]
mod asked;
#[cfg(test)]
mod model;
