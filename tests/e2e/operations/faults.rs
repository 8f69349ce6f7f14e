//! The fault table: what egret stands beside fails, each thing in its own way, and requests are counted meanwhile. Each one
//! that was sent was answered, cut or lost; what may be lost is stated for each fault.

pub(crate) mod upstream;
pub(crate) mod dns;
pub(crate) mod configuration;
pub(crate) mod logs;
pub(crate) mod descriptors;
pub(crate) mod process;
