//! Quell: response.
