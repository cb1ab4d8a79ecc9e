//! What must hold for every screen: strictness, security, weight, contrast.

mod browser;
mod contrast;
mod html;
mod live;
