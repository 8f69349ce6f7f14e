//! How much clients of the proxy may take together.

use std::time::Duration;

use egret_config::snapshot::workload::Mode;

use crate::args::variables::duration;
use crate::life::admission::ClientBounds;
use crate::life::client_times::ClientTimes;

/// The limits as typed: 0 is none.
#[derive(Clone, Copy, clap::Args)]
pub(super) struct Limits {
    /// Connections of clients at a time, all together; 0 is no limit. At the limit the one that idles longest is closed for a
    /// new one; where none idles, the new one is reset.
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_connections: u32,
    /// Connections of clients at one address at a time; 0 is no limit. Those beyond are reset. All connections of a sidecar
    /// come from its pod.
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_connections_per_source: u32,
    /// Requests in flight, all together; 0 is no limit. Those beyond are answered 503. An HTTP/2 connection may have as many
    /// streams as there is room for further requests.
    #[arg(long, value_name = "N", default_value_t = 16_384)]
    max_requests: u32,
    /// Clients at a time that do not read their responses, or do not send what they began of a request; 0 is no limit. Beyond, the
    /// one that has moved less than 64 KiB for longest is closed.
    #[arg(long, value_name = "N", default_value_t = 1024)]
    max_stalled_clients: u32,
    /// How long a client may take for the head of an HTTP/1 request, from its first byte; 0s is no limit [default: 60s on
    /// gateways, none on sidecars].
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    head_time_max: Option<Duration>,
    /// How long a client of a gateway may take for its TLS handshake, and before it for a PROXY header.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "15s")]
    handshake_time_max: Duration,
    /// How long an HTTP connection of a client may be without a request.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "1h")]
    idle_time_max: Duration,
    /// What is read at a time becomes less the more of this the buffers of all connections hold together, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    buffers_max: u16,
}

impl Limits {
    pub(super) fn client_bounds(self) -> ClientBounds {
        ClientBounds {
            connections: bound(self.max_connections),
            connections_per_source: bound(self.max_connections_per_source),
            requests: bound(self.max_requests),
        }
    }

    pub(super) fn client_times(self, mode: Mode) -> ClientTimes {
        let usual = ClientTimes::of(mode);
        ClientTimes {
            head: match self.head_time_max {
                None => usual.head,
                limit => limit.filter(|limit| !limit.is_zero()),
            },
            handshake: self.handshake_time_max,
            idle: self.idle_time_max,
        }
    }

    pub(super) fn stalled_max(self) -> Option<usize> {
        bound(self.max_stalled_clients)
    }

    pub(super) fn buffers_max(self) -> usize {
        usize::from(self.buffers_max) << 20
    }
}

/// A number of which 0 is no limit.
fn bound(number: u32) -> Option<usize> {
    usize::try_from(number).ok().filter(|number| *number > 0)
}
