//! TLS that we originate: a DestinationRule's `trafficPolicy.tls` to a rustls client, cached per policy.

use std::net::IpAddr;
use std::sync::Arc;

use egret_config::model::tls::{ClientTls, ClientTlsMode, Hashed};
use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::failure::{Cause, Failure};
use crate::report::facts::TlsFacts;
use crate::tls::alpn::Alpn;
use crate::tls::files::{Files, Store, Unusable, certified_key, key_paths, list_path, root_path};
use crate::tls::session;
use crate::tls::verify::{Names, Revocation, ServerVerifier, SystemRoots, reason, trusted};
use crate::tls::versions::{speaking, versions};

/// Makes TLS clients of policies. One for the process.
#[derive(Debug)]
pub struct Originator {
    system: SystemRoots,
    clients: Store<Policy, ClientConfig>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Policy {
    tls: Hashed<ClientTls>,
    service_names: Arc<[Arc<str>]>,
    alpn: Alpn,
    named: bool,
}

/// A handshake with an upstream.
///
/// The name sent is the policy's `sni`, else `host`, else none. The certificate must be for one of the policy's
/// `subjectAltNames`, else of `service_names`, else for the name sent; without any of them its chain alone is verified.
#[derive(Clone, Copy, Debug)]
pub struct Handshake<'h> {
    /// The policy.
    pub tls: &'h Hashed<ClientTls>,
    /// The names of the service.
    pub service_names: &'h Arc<[Arc<str>]>,
    /// The host of an HTTP request, without port.
    pub host: Option<&'h str>,
    /// The ALPN protocols that are offered.
    pub alpn: Alpn,
}

impl Originator {
    /// An originator with an empty cache. The system's authorities are read on first use.
    pub fn new() -> Self {
        Self {
            system: SystemRoots::default(),
            clients: Store::new(),
        }
    }

    /// Does a handshake over `stream`. There is no time limit here. Returns the stream with the facts of the handshake.
    ///
    /// # Errors
    /// [`Cause::UpstreamTls`], with the expected and the received value.
    pub async fn connect<S>(
        &self,
        stream: S,
        handshake: Handshake<'_>,
    ) -> Result<(TlsStream<S>, TlsFacts), Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let failed = |message: String| {
            let message: Arc<str> = message.into();
            Failure::new(Cause::UpstreamTls(message.clone()), message.to_string())
        };
        let Handshake { tls, host, .. } = handshake;
        let name = tls.sni.as_deref().or(host);
        let server_name = match name {
            Some(name) => server_name(name)
                .ok_or_else(|| failed(format!("`{name}` cannot be sent as SNI")))?,
            // Addresses are never sent as SNI, so this one stands for no name.
            None => ServerName::IpAddress(IpAddr::from([0, 0, 0, 0]).into()),
        };
        let client = self
            .client(handshake, name.is_some())
            .map_err(|unusable| failed(unusable.to_string()))?;
        // Sessions are cached by policy, so clients of different keys do not share them.
        let own = client.client_auth_cert_resolver.resolve(&[], &[]);
        let stream = TlsConnector::from(client)
            .connect(server_name, stream)
            .await
            .map_err(|error| failed(reason(&error)))?;
        let own = own.as_ref().and_then(|own| own.cert.first());
        let facts = session::facts(stream.get_ref().1, own, name);
        Ok((stream, facts))
    }

    /// The rustls client of a policy; `named` is whether a name is connected to.
    fn client(&self, handshake: Handshake<'_>, named: bool) -> Result<Arc<ClientConfig>, Unusable> {
        let tls = handshake.tls;
        let mut paths = Vec::new();
        if !tls.skip_verify {
            paths.extend(root_path(&tls.roots));
            paths.extend(tls.revoked.as_ref().and_then(list_path));
        }
        match &tls.mode {
            ClientTlsMode::Simple => {}
            ClientTlsMode::Mutual(keys) => paths.extend(key_paths(keys)),
            ClientTlsMode::Unusable(why) => return Err(Unusable(why.clone())),
        }
        let policy = Policy {
            tls: tls.clone(),
            service_names: handshake.service_names.clone(),
            alpn: handshake.alpn,
            named,
        };
        self.clients
            .get(&policy, &paths, |files| self.build(&policy, files))
    }

    fn build(&self, policy: &Policy, files: &Files) -> Result<ClientConfig, Unusable> {
        let tls = &policy.tls;
        let names = match (&tls.subject_alt_names[..], &policy.service_names[..]) {
            ([], []) if policy.named => Names::Connected,
            ([], []) => Names::Any,
            ([], names) | (names, _) => Names::OneOf(names.into()),
        };
        let (trusted, revocation) = if tls.skip_verify {
            (None, None)
        } else {
            let revoked = tls.revoked.as_ref();
            let revocation = revoked.map(|revoked| Revocation::read(revoked, files));
            let trusted = trusted(&tls.roots, files, &self.system)?;
            (Some(trusted), revocation.transpose()?)
        };
        let verifier: Arc<dyn ServerCertVerifier> =
            Arc::new(ServerVerifier::new(trusted, revocation, names));
        let builder = ClientConfig::builder_with_provider(speaking(&tls.suites, &tls.curves))
            .with_protocol_versions(&versions(tls.only_tls13, false))
            .map_err(|error| Unusable::new(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match &tls.mode {
            ClientTlsMode::Mutual(keys) => builder.with_client_cert_resolver(Arc::new(
                SingleCertAndKey::from(certified_key(keys, files)?),
            )),
            ClientTlsMode::Simple => builder.with_no_client_auth(),
            ClientTlsMode::Unusable(why) => return Err(Unusable(why.clone())),
        };
        config.alpn_protocols = match policy.alpn {
            alpn if tls.in_mesh => alpn.protocols_in_mesh(),
            // HTTP/1 alone is not offered, as in Envoy: a server may not support ALPN.
            Alpn::Http1 => Vec::new(),
            alpn => alpn.protocols(),
        };
        Ok(config)
    }
}

#[cfg(test)]
impl Originator {
    /// Makes the next use check the files.
    pub(in crate::tls) fn look_again(&self) {
        self.clients.look_again();
    }
}

impl Default for Originator {
    fn default() -> Self {
        Self::new()
    }
}

/// A name or an address as a TLS server name. IPv6 in brackets is an address too.
fn server_name(name: &str) -> Option<ServerName<'static>> {
    let bare = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(name);
    ServerName::try_from(bare.trim_end_matches('.').to_owned()).ok()
}
