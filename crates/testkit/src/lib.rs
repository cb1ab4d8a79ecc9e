//! Quell: testkit.

pub mod clock;
pub mod control;
pub mod corpora;
pub mod ids;
pub mod postgres;
pub mod upstream;

pub use clock::ManualClock;
pub use control::{ControlStandIn, NODE_TOKEN};
pub use ids::SeededIds;
pub use upstream::{Received, Reply, ScriptedUpstream};
