//! What must hold for every screen: strictness, security, weight, contrast.

#![expect(clippy::expect_used, reason = "a test that cannot be set up has failed")]

mod browser;
mod contrast;
mod html;
mod live;
mod models;
mod settings;
