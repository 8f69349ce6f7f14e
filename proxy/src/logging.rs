//! Loggers, their levels, and how levels are changed while the process runs.

mod levels;
mod loggers;

pub use crate::logging::levels::{Level, LogLevels, UnknownName};
pub use crate::logging::loggers::{LEVEL_NAMES, LOGGERS, Logger, modules};
