//! Mirrors: copies of a request, sent and forgotten. Their answers are read and thrown away, their failures are nobody's.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use egret_config::decide::Dice;
use egret_config::decide::call::Arrival;
use egret_config::decide::normalize::forwarded;
use egret_config::header_names::{FORWARDED_FOR, INTERNAL};
use egret_config::snapshot::cluster::Cluster;
use egret_config::snapshot::workload::Mode;
use http::{HeaderValue, header};
use http_body_util::BodyExt;
use tokio::task::spawn_local;
use tokio::time::timeout;
use tracing::debug;

use crate::client::body::RequestBody;
use crate::client::body::replay::Tee;
use crate::failure::Failure;
use crate::http::headers;
use crate::http::outgoing::Outgoing;
use crate::http::upstream_request::UpstreamRequest;
use crate::proxy::Proxy;
use crate::report::facts::Attempts;
use crate::upstream::clusters::AttemptHistory;

/// How long a copy may take where the route sets no limit.
const LIMIT: Duration = Duration::from_secs(60);

/// Shares are in millionths.
const MILLION: u64 = 1_000_000;

/// The mirrors whose turn it is. Shares are rolled with `dice`.
pub fn struck(mirrors: &[(Arc<Cluster>, u32)], dice: Dice<'_>) -> Vec<Arc<Cluster>> {
    mirrors
        .iter()
        .filter(|(_, share)| dice(MILLION) < u64::from(*share))
        .map(|(cluster, _)| Arc::clone(cluster))
        .collect()
}

/// A copy of a request, to go to a mirror.
#[derive(Debug)]
pub struct Copy {
    /// The mirror.
    pub cluster: Arc<Cluster>,
    /// The request as it goes to the route's own destination, without a body.
    pub outgoing: Outgoing,
    /// The client's connection; its address is told to the mirror if nobody did.
    pub arrival: Arrival,
    /// What this proxy is.
    pub mode: Mode,
    /// The route's limit.
    pub limit: Option<Duration>,
}

impl Copy {
    /// Sends the copy once its whole body has come. One whose body is too large to be kept is not sent.
    pub fn send(self, body: Option<Tee>, proxy: &Rc<Proxy>) {
        let proxy = Rc::clone(proxy);
        spawn_local(async move {
            let cluster = Arc::clone(&self.cluster);
            let limit = self.limit.unwrap_or(LIMIT);
            let body = match body {
                None => None,
                Some(body) => match body.whole().await {
                    None => {
                        debug!(mirror = &*cluster.name, "body too large to be mirrored");
                        return;
                    }
                    body => body,
                },
            };
            match timeout(limit, self.run(body, &proxy)).await {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => debug!(%failure, mirror = &*cluster.name, "copy not answered"),
                Err(_) => debug!(mirror = &*cluster.name, "copy not answered in time"),
            }
        });
    }

    async fn run(self, body: Option<RequestBody>, proxy: &Proxy) -> Result<(), Failure> {
        let mut outgoing = self.outgoing;
        if let Some(body) = body {
            outgoing.body = body;
        }
        let map = &mut outgoing.parts.headers;
        map.insert(INTERNAL, HeaderValue::from_static("true"));
        headers::count_attempt(map, 1);
        map.remove(header::EXPECT);
        if !map.contains_key(FORWARDED_FOR) {
            forwarded::append_client(map, self.arrival.client.ip());
        }
        let (arrival, mode) = (self.arrival, self.mode);
        let upstream_request = UpstreamRequest::new(&self.cluster, &outgoing, arrival, mode, proxy);
        let (request, _) = upstream_request.build(outgoing)?;
        // A mirrored request has no facts of its own yet: nothing reports them.
        let mut attempts = Attempts::default();
        let reply = upstream_request
            .once(request, AttemptHistory::default(), None, &mut attempts)
            .await;
        let reply = reply.map_err(|failed| failed.failure)?;
        let mut body = reply.response.into_body();
        while let Some(frame) = body.frame().await {
            if frame.is_err() {
                return Ok(());
            }
        }
        reply.lease.give_back();
        Ok(())
    }
}

impl Outgoing {
    /// A copy without body and upgrade.
    pub fn copy(&self) -> Self {
        Self {
            parts: self.parts.clone(),
            authority: self.authority.clone(),
            path: self.path.clone(),
            body: RequestBody::empty(),
            upgrade: None,
            informational: None,
        }
    }
}
