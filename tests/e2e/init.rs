//! egret-init: its rules and what they do to packets.

pub(crate) mod rows;
pub(crate) mod missing_features;
pub(crate) mod lifecycle;
pub(crate) mod verify;
pub(crate) mod kernel;
pub(crate) mod rules;
pub(crate) mod effects;
