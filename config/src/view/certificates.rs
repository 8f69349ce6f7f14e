//! The certificates of a configuration, as an admin page shows them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::tls::{ClientTls, ClientTlsMode, ClientVerification, KeyFiles, Roots, ServerTls};
use crate::snapshot::Snapshot;
use crate::snapshot::gateways::TlsAction;

/// The certificates of one TLS policy, without private keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificatesView {
    /// The authorities; `None` where there are none, or those of the system.
    pub authorities: Option<PemView>,
    /// The own certificates, each with its chain.
    pub chains: Vec<PemView>,
}

/// A PEM text of certificates.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PemView {
    /// A file, by its path.
    File(Arc<str>),
    /// A text from a Secret.
    Text(Arc<str>),
}

impl Snapshot {
    /// The certificates of all TLS that is originated or terminated, each policy once, in the order of the clusters and
    /// ports.
    pub fn certificates(&self) -> Vec<CertificatesView> {
        let clusters = self.clusters.values();
        let clients = clusters.filter_map(|cluster| cluster.policy.tls.as_deref().map(of_client));
        let gateways = self.gateways.values();
        let servers = gateways.flat_map(|listener| listener.tls.iter());
        let servers = servers.filter_map(|chain| match &chain.action {
            TlsAction::Http { tls, .. } | TlsAction::Stream { tls, .. } => Some(of_server(tls)),
            TlsAction::Passthrough(_) | TlsAction::NamedBySni(_) => None,
        });
        let mut unique = BTreeMap::new();
        clients
            .chain(servers)
            .filter(|view| view.authorities.is_some() || !view.chains.is_empty())
            .filter(|view| {
                let key = (view.authorities.clone(), view.chains.clone());
                unique.insert(key, ()).is_none()
            })
            .collect()
    }
}

fn of_client(tls: &ClientTls) -> CertificatesView {
    CertificatesView {
        authorities: authorities(&tls.roots),
        chains: match &tls.mode {
            ClientTlsMode::Mutual(keys) => vec![chain(keys)],
            ClientTlsMode::Simple | ClientTlsMode::Unusable(_) => Vec::new(),
        },
    }
}

fn of_server(tls: &ServerTls) -> CertificatesView {
    CertificatesView {
        authorities: match &tls.clients {
            ClientVerification::Off => None,
            ClientVerification::Optional(accepted) | ClientVerification::Required(accepted) => {
                authorities(&accepted.roots)
            }
        },
        chains: tls.keys.iter().map(chain).collect(),
    }
}

fn authorities(roots: &Roots) -> Option<PemView> {
    match roots {
        Roots::System => None,
        Roots::File(path) => Some(PemView::File(Arc::clone(path))),
        Roots::Pem(text) => Some(PemView::Text(Arc::clone(text))),
    }
}

fn chain(keys: &KeyFiles) -> PemView {
    match keys {
        KeyFiles::Files { certificate, .. } => PemView::File(Arc::clone(certificate)),
        KeyFiles::Pem { certificate, .. } => PemView::Text(Arc::clone(certificate)),
    }
}
