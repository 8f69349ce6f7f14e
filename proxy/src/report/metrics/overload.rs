//! What was lacking where a call was refused for want of room.

use crate::failure::ClientLimit;
use crate::report::facts::Facts;

/// What was lacking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overload {
    /// Descriptors.
    OpenFiles,
    /// Connections of clients.
    Connections,
    /// Connections of one source.
    SourceConnections,
    /// Requests in flight.
    Requests,
    /// Room for the head of the request.
    Head,
}

impl Overload {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] = [
        Self::OpenFiles,
        Self::Connections,
        Self::SourceConnections,
        Self::Requests,
        Self::Head,
    ];

    /// The value of `limit` in `egret_limit_hits_total`.
    pub fn limit(self) -> &'static str {
        match self {
            Self::OpenFiles => "open_files",
            Self::Connections => "downstream_connections",
            Self::SourceConnections => "connections_per_source",
            Self::Requests => "requests_in_flight",
            Self::Head => "request_head",
        }
    }

    /// What was lacking for a call with the flag `OM`.
    pub fn of(facts: &Facts) -> Self {
        match facts.client_limit {
            None => Self::OpenFiles,
            Some(ClientLimit::Connections) => Self::Connections,
            Some(ClientLimit::SourceConnections) => Self::SourceConnections,
            Some(ClientLimit::Requests) => Self::Requests,
        }
    }
}
