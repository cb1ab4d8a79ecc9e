//! Change detectors for unbounded streams: one value at a time, constant or logarithmic memory.
//!
//! Each is equal, step by step, to the detector of the same name in river 0.2x, which is the
//! oracle of the golden vectors in `tests/golden/`.

mod adwin;
mod ddm;
mod hddm;
mod page_hinkley;

pub use adwin::{Adwin, AdwinOptions};
pub use ddm::Ddm;
pub use hddm::{HddmA, HddmW};
pub use page_hinkley::{Mode, PageHinkley};
