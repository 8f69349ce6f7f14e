//! Upgrades: when the upstream agrees (101), HTTP is over on both connections and bytes are relayed.

use http::{HeaderMap, HeaderValue, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tracing::debug;

use crate::relay::relay;
use crate::report::reporter::FactsGuard;
use crate::report::stream_bytes::StreamBytes;
use crate::upstream::lease::Lease;

/// An upgrade that a request asks for.
#[derive(Debug)]
pub struct Upgrade {
    /// The client's side of it.
    pub client: OnUpgrade,
    /// What the connection is to become, as the client spells it.
    pub token: HeaderValue,
}

/// Puts the request to upgrade, or the consent to it, back in for the next hop, in its own spelling.
pub fn renew(headers: &mut HeaderMap, token: HeaderValue) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, token);
}

/// Relays between the two connections until both are done, then ends the facts. The request is under way at its endpoint
/// until then, so that `lease` is kept.
pub async fn pass(
    client: OnUpgrade,
    upstream: OnUpgrade,
    mut lease: Lease,
    mut facts: Box<FactsGuard>,
) {
    match futures_util::future::try_join(client, upstream).await {
        Ok((client, upstream)) => {
            let counts = StreamBytes::default();
            let end = relay(
                &mut TokioIo::new(client),
                &mut TokioIo::new(upstream),
                None,
                &counts,
            )
            .await;
            debug!(?end, "upgraded connection ended");
            facts.bytes_received = counts.from_client.get();
            facts.bytes_sent = counts.from_upstream.get();
        }
        Err(error) => debug!(%error, "upgrade did not happen"),
    }
    lease.in_flight.complete();
    drop(lease);
    facts.end();
}
