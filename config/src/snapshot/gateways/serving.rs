//! Servers that take part in a port of a gateway.

use std::sync::Arc;

use crate::model::gateway::{Gateway, Server};
use crate::model::tls::ServerTlsMode;
use crate::port::PortClass;
use crate::snapshot::chains::ChainOrigin;

/// A server that takes part in a port.
pub(super) struct Serving<'o> {
    pub(super) gateway: &'o Gateway,
    pub(super) index: usize,
    pub(super) server: Arc<Server>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServerKind {
    Http,
    TlsEnding,
    TlsPassing,
    Tcp,
}

pub(super) fn kind_of(server: &Server) -> ServerKind {
    match &server.tls {
        ServerTlsMode::Terminate(_) => ServerKind::TlsEnding,
        ServerTlsMode::Passthrough | ServerTlsMode::AutoPassthrough => ServerKind::TlsPassing,
        ServerTlsMode::None | ServerTlsMode::RedirectToHttps => match server.protocol.class() {
            Some(PortClass::Http) => ServerKind::Http,
            Some(PortClass::Tcp | PortClass::Auto) | None => ServerKind::Tcp,
        },
    }
}

pub(super) fn origin(serving: &Serving<'_>) -> ChainOrigin {
    ChainOrigin::Server {
        object: serving.gateway.meta.clone(),
        server: serving.index,
    }
}
