//! Spans on their way to a collector: batches, what is spoken, the one connection.
//!
//! [`exporter::Exporter`] takes spans from the queue that [`crate::report::spans`] fills and sends them in batches. Its
//! calls go straight to the collector's cluster: they are no calls of an application, and nothing is reported of them.

pub mod collector;
mod encode;
pub mod exporter;
pub mod messages;
mod otlp;
mod zipkin;

#[cfg(test)]
mod tests;
