//! The containers that a pod gets.

mod common;
mod init;
mod proxy;

pub use crate::containers::init::init;
pub use crate::containers::proxy::proxy;
