//! The addresses of a connection: the client, and the original destination.

use std::io;

use egret_config::address::{ClientAddress, LocalAddress, OriginalDestination};
use egret_config::decide::call::Arrival;
use egret_config::decide::verdict::Refusal;
use egret_config::snapshot::cluster::BLACK_HOLE_CLUSTER;
use tokio::net::TcpStream;
use tracing::warn;

use crate::failure::{Cause, Failure};
use crate::own_sockets::OwnSockets;
use crate::report::facts::{Facts, next_connection_id};
use crate::sys::hang_up::has_hung_up;
use crate::sys::orig_dst;
use crate::sys::orig_dst::{Origin, canonical};

/// The listener that accepted a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerKind {
    /// The outbound listener: redirected calls of the application.
    Outbound,
    /// The inbound listener: redirected calls to the application, relayed unchanged.
    Inbound,
    /// A port of a Gateway, or a Sidecar's egress listener that applications dial.
    Dialled,
}

/// Reads the client's address and the original destination of a connection, and sets them in the facts.
///
/// # Errors
/// [`Refusal::OwnListener`] when it reached a redirect's port without redirection: it has no other destination, and dialling
/// this one would be a loop. Also when it comes from an upstream socket of this proxy, since serving it would dial without
/// end. [`Cause::ClientGone`] when it is closed already.
pub fn identify(
    socket: &TcpStream,
    kind: ListenerKind,
    own: &OwnSockets,
    facts: &mut Facts,
) -> Result<Arrival, Failure> {
    let client = ClientAddress(canonical(socket.peer_addr().map_err(gone)?));
    let local = LocalAddress(canonical(socket.local_addr().map_err(gone)?));
    facts.downstream.connection_id = next_connection_id();
    facts.downstream.remote_address = Some(client);
    facts.downstream.local_address = Some(local);
    let to = match kind {
        ListenerKind::Dialled => OriginalDestination(local.0),
        ListenerKind::Outbound | ListenerKind::Inbound => redirected(socket, client, facts)?,
    };
    let arrival = Arrival::new(client, to);
    facts.downstream.local_address = Some(arrival.local);
    facts.downstream.direct = Some((client.0, arrival.local.0));
    let from_us = match kind {
        // Calls to the application's own services are redirected back here and forwarded to the application.
        ListenerKind::Inbound => false,
        ListenerKind::Outbound => own.has_upstream(client, to),
        ListenerKind::Dialled => own.has_upstream_at(client) && leads_here(socket, own, client, to),
    };
    if from_us && has_hung_up(socket) {
        // The kernel gives the address of a client that has gone to the next socket, which may be one of this proxy.
        let message = "the client closed the connection before it was accepted";
        return Err(Failure::new(Cause::ClientGone, message));
    }
    if from_us {
        facts.decision.cluster = Some(BLACK_HOLE_CLUSTER.into());
        return Err(own.client_refused(client, to));
    }
    Ok(arrival)
}

/// Whether the other end of this connection is an upstream socket of this proxy at `client`: it dialled the accepted
/// address, or one that netfilter redirected.
fn leads_here(
    socket: &TcpStream,
    own: &OwnSockets,
    client: ClientAddress,
    to: OriginalDestination,
) -> bool {
    let redirected = || match orig_dst::origin(socket) {
        Ok(Origin::Redirected(to)) => own.has_upstream(client, to),
        Ok(Origin::Direct) | Err(_) => false,
    };
    own.has_upstream(client, to) || redirected()
}

fn redirected(
    socket: &TcpStream,
    client: ClientAddress,
    facts: &mut Facts,
) -> Result<OriginalDestination, Failure> {
    match orig_dst::origin(socket).map_err(gone)? {
        Origin::Redirected(to) => Ok(to),
        Origin::Direct => {
            warn!(%client, "refused a connection that was not redirected here; is it a direct call of this port?");
            facts.decision.cluster = Some(BLACK_HOLE_CLUSTER.into());
            Err(Refusal::OwnListener.into())
        }
    }
}

fn gone(error: io::Error) -> Failure {
    Failure::new(Cause::ClientGone, error.to_string())
}

#[cfg(test)]
mod tests {
    use egret_config::snapshot::workload::Mode;
    use tokio::net::TcpListener;

    use super::*;
    use crate::own_sockets::tests::listening_on;

    #[tokio::test]
    async fn a_direct_call_is_refused_unless_the_port_is_there_to_be_dialled() {
        let listener = TcpListener::bind("[::]:0").await.expect("bind");
        let port = listener.local_addr().expect("address").port();
        let client_end = TcpStream::connect(("127.0.0.1", port))
            .await
            .expect("connect");
        let (socket, _) = listener.accept().await.expect("accept");
        let mut facts = Facts::begin();
        let own = listening_on(&[], Mode::Sidecar);
        for kind in [ListenerKind::Outbound, ListenerKind::Inbound] {
            let failure = identify(&socket, kind, &own, &mut facts).expect_err("not redirected");
            assert_eq!(*failure.cause(), Cause::Refused(Refusal::OwnListener));
        }
        let dialled = |facts: &mut Facts| identify(&socket, ListenerKind::Dialled, &own, facts);
        let arrival = dialled(&mut facts).expect("arrival");
        let to = OriginalDestination(([127, 0, 0, 1], port).into());
        let client = ClientAddress(client_end.local_addr().expect("address"));
        assert_eq!(arrival, Arrival::new(client, to));
        let _registered = own.register(LocalAddress(client.0), to.0);
        let failure = dialled(&mut facts).expect_err("our own");
        assert_eq!(*failure.cause(), Cause::Refused(Refusal::OwnListener));
        assert!(failure.to_string().contains("uid 1337"), "{failure}");
        drop(client_end);
        let failure = dialled(&mut facts).expect_err("gone");
        assert_eq!(*failure.cause(), Cause::ClientGone);
    }
}
