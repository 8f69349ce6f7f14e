//! Of the operators of the access log.

use super::Difference;

pub(super) const OF_HTTP1: &[Difference] = &[];
pub(super) const OF_HTTP2: &[Difference] = &[];
pub(super) const IN_TEXT_HTTP1: &[Difference] = &[];
pub(super) const IN_TEXT_HTTP2: &[Difference] = &[];
pub(super) const OF_LOGGED_STREAMS: &[Difference] = &[];
pub(super) const IN_TEXT_STREAMS: &[Difference] = &[];
