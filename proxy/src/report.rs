//! What is told about each call: one [`Record`](record::Record) from accept to end, from which the access log's line
//! (and whatever else counts calls) is made.

pub mod record;
pub mod access_log;
