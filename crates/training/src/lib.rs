//! Training of the classifier: samples in, a model and its figures out.
//!
//! Pure: no IO, no clock, and every random number comes from a fixed seed, so the same rows give
//! the same bytes. Reading files and showing progress are the caller's.
//!
//! How: the first stage learns hashed features on windows; it is then fitted again and again with
//! whole sources left out, so that the second stage and the calibration only see texts that the
//! first stage has not. Figures by source are of that kind, too: no source is judged by a model
//! that has seen it.

pub mod compose;
pub mod facts;
pub mod figures;
pub mod gate;
pub mod grammar;
pub mod random;
pub mod rows;
pub mod sample;
pub mod stage1;
pub mod stage2;
pub mod train;
