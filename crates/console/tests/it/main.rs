//! What must hold for every screen: strictness, security, weight, contrast.

mod contrast;
mod html;
