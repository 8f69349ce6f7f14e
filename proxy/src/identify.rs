//! Who calls, and whom did it want to reach.

use std::io;
use std::net::SocketAddr;

use egret_config::decide::call::Arrival;
use egret_config::decide::verdict::Refusal;
use egret_config::snapshot::cluster::BLACK_HOLE_CLUSTER;
use tokio::net::TcpStream;
use tracing::warn;

use crate::failure::Cause;
use crate::failure::Failure;
use crate::report::record::Record;
use crate::sys::orig_dst;
use crate::sys::orig_dst::Origin;
use crate::sys::orig_dst::canonical;

/// Which door a connection came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// The outbound listener: redirected calls of the application.
    Outbound,
    /// The inbound listener: redirected calls to the application, relayed unchanged.
    Inbound,
    /// A port that a Gateway asks for, or a Sidecar's egress listener that applications dial.
    Dialled,
}

/// Reads off a connection where it came from and where it was going, and notes it in the record.
///
/// # Errors
/// [`Refusal::OwnListener`] when it came to a redirect's port without being redirected: there is nowhere to forward it
/// to, and dialling what it dialled would be a loop. [`Cause::ClientGone`] when it is closed already.
pub fn identify(
    socket: &TcpStream,
    entrance: Entrance,
    record: &mut Record,
) -> Result<Arrival, Failure> {
    let client = canonical(socket.peer_addr().map_err(gone)?);
    let local = canonical(socket.local_addr().map_err(gone)?);
    record.downstream_remote_address = Some(client);
    record.downstream_local_address = Some(local);
    let to = match entrance {
        Entrance::Dialled => local,
        Entrance::Outbound | Entrance::Inbound => redirected(socket, client, record)?,
    };
    record.downstream_local_address = Some(to);
    Ok(Arrival { client, to })
}

fn redirected(
    socket: &TcpStream,
    client: SocketAddr,
    record: &mut Record,
) -> Result<SocketAddr, Failure> {
    match orig_dst::origin(socket).map_err(gone)? {
        Origin::Redirected(to) => Ok(to),
        Origin::Direct => {
            warn!(%client, "refused a connection that was not redirected here; is it a direct call of this port?");
            record.upstream_cluster = Some(BLACK_HOLE_CLUSTER.into());
            Err(Refusal::OwnListener.into())
        }
    }
}

fn gone(error: io::Error) -> Failure {
    Failure::new(Cause::ClientGone, error.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::net::TcpListener;

    use super::*;
    use crate::report::access_log::AccessLog;

    #[tokio::test]
    async fn a_direct_call_is_refused_unless_the_port_is_there_to_be_dialled() {
        let listener = TcpListener::bind("[::]:0").await.expect("bind");
        let port = listener.local_addr().expect("address").port();
        let client = TcpStream::connect(("127.0.0.1", port))
            .await
            .expect("connect");
        let (socket, _) = listener.accept().await.expect("accept");
        let log = Arc::new(AccessLog::start().expect("access log"));
        let mut record = Record::open(log);
        for entrance in [Entrance::Outbound, Entrance::Inbound] {
            let failure = identify(&socket, entrance, &mut record).expect_err("not redirected");
            assert_eq!(*failure.cause(), Cause::Refused(Refusal::OwnListener));
        }
        let arrival = identify(&socket, Entrance::Dialled, &mut record).expect("arrival");
        assert_eq!(arrival.to, SocketAddr::from(([127, 0, 0, 1], port)));
        assert_eq!(arrival.client, client.local_addr().expect("address"));
    }
}
