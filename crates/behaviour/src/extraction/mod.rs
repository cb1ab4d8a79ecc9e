//! Model extraction: somebody asks what a copy of the model would need, not what people need.
//!
//! Texts become hashed n-gram vectors ([`embed`]), these become random Fourier features whose
//! mean is the query distribution ([`features`]), and windows of one principal or of the whole
//! application are compared with the application's usual traffic by maximum mean discrepancy
//! ([`mmd`]). How the queries come (regular gaps, one template, sampling parameters, volume,
//! no follow-up) is counted beside it ([`pattern`]). [`monitor`] decides.

pub mod embed;
pub mod features;
pub mod mmd;
pub mod monitor;
pub mod pattern;
pub mod pool;
