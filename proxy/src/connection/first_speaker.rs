//! Connections on which the server may send first.

use std::sync::Arc;
use std::time::Duration;

use egret_config::decide;
use egret_config::decide::call::{HttpVersion, Layer};
use egret_config::decide::verdict::{Refusal, Verdict};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::connection::context::ConnectionContext;
use crate::connection::tcp::{UpstreamConnection, connect_upstream};
use crate::failure::{Cause, Failure};
use crate::sniff::read_layer;
use crate::sniff::rewind::Rewind;

/// How long a client may stay silent where its bytes alone decide.
const SILENCE_MAX: Duration = Duration::from_secs(300);

/// How long a silent client with an unreachable opaque destination may take to send bytes that lead elsewhere.
const UNREACHED_MAX: Duration = Duration::from_secs(10);

/// How long a client with a refused opaque destination may stay silent, from the start of its connection. Otherwise clients
/// of server-first protocols would wait for a greeting that never comes.
const REFUSED_SILENCE_MAX: Duration = Duration::from_secs(1);

/// The size of the buffer for the first bytes of a server.
const GREETING: usize = 4096;

/// The side that sent first on a connection with a silent client.
pub(in crate::connection) enum FirstSpeaker {
    /// The server: the connection is opaque. With the bytes it sent.
    Server(UpstreamConnection, Vec<u8>),
    /// The client, with its protocol, and with the connection made meanwhile.
    Client(Layer, Option<Dialled>),
    /// The client closed before it sent a byte.
    ClientClosed,
}

/// A connection made before the client's protocol is known.
pub(in crate::connection) struct Dialled {
    pub(in crate::connection) server: UpstreamConnection,
    /// The cluster it was made for.
    pub(in crate::connection) cluster: Arc<str>,
}

/// Finds the side that sends first. Servers of MySQL and SMTP do. Dials the server, if it may be dialled as an opaque
/// destination, and reads from both sides. So no side waits for a time limit, and a slow client is still read.
pub(in crate::connection) async fn first_speaker(
    client: &mut Rewind<TcpStream>,
    context: &mut ConnectionContext<'_>,
) -> Result<FirstSpeaker, Failure> {
    let decision = context.decide(&Layer::Silent, None);
    if let Verdict::Http | Verdict::Terminate { .. } = decision.verdict {
        return client_first(read_layer(client, None).await, None);
    }
    context.set_decision(&Layer::Silent, &decision);
    let http = context.decide(&Layer::Http(HttpVersion::Http1), None);
    let silence_limit = match (&decision.verdict, http.verdict) {
        // The ClientHello of a gateway's client selects the filter chain, so the client gets more time.
        (Verdict::Refuse(Refusal::NoChain), _) => UNREACHED_MAX,
        (Verdict::Refuse(_), _) => {
            REFUSED_SILENCE_MAX.saturating_sub(decide::silence_max(context.snapshot))
        }
        // Only the opaque destination is unreachable. The client may still send HTTP, which is routed elsewhere.
        (_, Verdict::Http) => SILENCE_MAX,
        _ => UNREACHED_MAX,
    };
    let cluster: Arc<str> = decision.cluster.unwrap_or_default().into();
    let reached = {
        let reaching = connect_upstream(decision.verdict, None, context);
        tokio::select! {
            biased;
            layer = read_layer(client, None) => return client_first(layer, None),
            reached = reaching => reached,
        }
    };
    let mut server = match reached {
        Ok(server) => server,
        // The failure is reported whether the client stays or leaves.
        Err(failure) => {
            return match timeout(silence_limit, read_layer(client, None)).await {
                Ok(Ok(Some(layer))) => Ok(FirstSpeaker::Client(layer, None)),
                Ok(Ok(None) | Err(_)) | Err(_) => Err(failure),
            };
        }
    };
    let mut greeting = vec![0; GREETING];
    let length = tokio::select! {
        biased;
        layer = read_layer(client, None) => {
            return client_first(layer, Some(Dialled { server, cluster }));
        }
        length = server.stream().read(&mut greeting) => length.unwrap_or(0),
    };
    if length == 0 && silence_limit == SILENCE_MAX {
        // The server closed first. The client's bytes may still be for another upstream.
        drop(server);
        return match timeout(silence_limit, read_layer(client, None)).await {
            Ok(layer) => client_first(layer, None),
            Err(_) => Ok(FirstSpeaker::ClientClosed),
        };
    }
    greeting.truncate(length);
    Ok(FirstSpeaker::Server(server, greeting))
}

fn client_first(
    layer: std::io::Result<Option<Layer>>,
    dialled: Option<Dialled>,
) -> Result<FirstSpeaker, Failure> {
    match layer {
        Ok(Some(layer)) => Ok(FirstSpeaker::Client(layer, dialled)),
        Ok(None) => Ok(FirstSpeaker::ClientClosed),
        Err(error) => Err(Failure::new(Cause::ClientGone, error.to_string())),
    }
}
