//! What stands in the columns of the table.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

use crate::report::destinations::{Destination, Latencies, RowAddress};
use crate::report::metrics::shard::PROTOCOLS;

pub(super) fn address(address: &RowAddress) -> String {
    match address {
        RowAddress::Ip(ip) => ip.to_string(),
        RowAddress::Unix(path) => format!("unix://{path}"),
    }
}

pub(super) fn protocol(one: &Destination) -> &'static str {
    let known = PROTOCOLS
        .iter()
        .find(|(protocol, _)| *protocol == one.key.protocol);
    known.map_or("tcp", |(_, name)| name)
}

/// Milliseconds with three digits behind the point: an estimate has no more.
pub(super) fn millis(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

pub(super) fn quantile_millis(latencies: &Latencies, share: f64) -> String {
    let duration = latencies.quantile(share);
    duration.map_or_else(String::new, |duration| millis(duration).to_string())
}

/// A time as RFC 3339 has it, in UTC, with milliseconds.
pub(super) fn time(time: SystemTime) -> String {
    let millis = time
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis());
    let millis = i64::try_from(millis).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(millis)
        .unwrap_or(Timestamp::MAX)
        .to_string()
}
