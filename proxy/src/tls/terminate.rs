//! TLS that a gateway terminates: a server's `tls` to a rustls server, cached per policy.

use std::sync::Arc;

use egret_config::model::tls::ClientVerification;
use egret_config::model::tls::Roots;
use egret_config::model::tls::ServerTls;
use rustls::pki_types::ServerName;
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::failure::Cause;
use crate::failure::Failure;
use crate::tls::Alpn;
use crate::tls::files::Files;
use crate::tls::files::Store;
use crate::tls::files::Unusable;
use crate::tls::files::certified_key;
use crate::tls::files::key_paths;
use crate::tls::files::root_path;
use crate::tls::provider;
use crate::tls::verify::ClientVerifier;
use crate::tls::verify::SystemRoots;
use crate::tls::verify::reason;
use crate::tls::verify::trusted;

/// Makes TLS servers of policies. One for the process.
#[derive(Debug)]
pub struct Terminator {
    system: SystemRoots,
    servers: Store<(ServerTls, Alpn), ServerConfig>,
}

impl Terminator {
    /// Without any server yet.
    pub fn new() -> Self {
        Self {
            system: SystemRoots::default(),
            servers: Store::new(),
        }
    }

    /// Does a handshake over `stream`, which begins with the client's hello. There is no time limit here.
    ///
    /// # Errors
    /// [`Cause::Internal`] when the policy cannot be honoured, [`Cause::ClientTls`] when the handshake fails.
    pub async fn accept<S>(
        &self,
        stream: S,
        tls: &ServerTls,
        alpn: Alpn,
    ) -> Result<TlsStream<S>, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let server = self
            .server(tls, alpn)
            .map_err(|unusable| Failure::new(Cause::Internal, unusable.to_string()))?;
        let accepted = TlsAcceptor::from(server).accept(stream).await;
        accepted.map_err(|error| Failure::new(Cause::ClientTls, reason(&error)))
    }

    /// Whether a policy can be honoured now, to be told when the configuration is loaded and not at the first call.
    ///
    /// # Errors
    /// Why not: which file cannot be read, or does not hold what it should.
    pub fn check(&self, tls: &ServerTls) -> Result<(), Unusable> {
        self.server(tls, Alpn::Unsaid).map(drop)
    }

    fn server(&self, tls: &ServerTls, alpn: Alpn) -> Result<Arc<ServerConfig>, Unusable> {
        let mut paths: Vec<_> = tls.keys.iter().flat_map(key_paths).collect();
        paths.extend(client_roots(&tls.clients).and_then(root_path));
        self.servers.get(&(tls.clone(), alpn), &paths, |files| {
            self.build(tls, alpn, files)
        })
    }

    fn build(&self, tls: &ServerTls, alpn: Alpn, files: &Files) -> Result<ServerConfig, Unusable> {
        let keys: Result<Vec<_>, _> = tls
            .keys
            .iter()
            .map(|keys| certified_key(keys, files).map(Arc::new))
            .collect();
        let keys = keys?;
        if keys.is_empty() {
            return Err(Unusable::new("the server has no certificate"));
        }
        let versions: &[&SupportedProtocolVersion] = match (tls.only_tls12, tls.only_tls13) {
            (_, true) => &[&TLS13],
            (true, false) => &[&TLS12],
            (false, false) => &[&TLS13, &TLS12],
        };
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .map_err(|error| Unusable::new(error.to_string()))?;
        let builder = match client_roots(&tls.clients) {
            None => builder.with_no_client_auth(),
            Some(roots) => {
                let trusted = trusted(roots, files, &self.system)?;
                let usual = WebPkiClientVerifier::builder_with_provider(trusted.store, provider());
                let (usual, names) = match &tls.clients {
                    ClientVerification::Required(_, names) => (usual, &names[..]),
                    ClientVerification::Optional(_) | ClientVerification::Off => {
                        (usual.allow_unauthenticated(), &[][..])
                    }
                };
                let usual = usual
                    .build()
                    .map_err(|error| Unusable::new(error.to_string()))?;
                match names {
                    [] => builder.with_client_cert_verifier(usual),
                    names => builder.with_client_cert_verifier(Arc::new(ClientVerifier {
                        usual,
                        names: names.into(),
                    })),
                }
            }
        };
        let mut config = builder.with_cert_resolver(Arc::new(ByName { keys }));
        config.alpn_protocols = alpn.protocols();
        Ok(config)
    }
}

#[cfg(test)]
impl Terminator {
    /// Makes the next use look at the files.
    pub(in crate::tls) fn look_again(&self) {
        self.servers.look_again();
    }
}

impl Default for Terminator {
    fn default() -> Self {
        Self::new()
    }
}

fn client_roots(clients: &ClientVerification) -> Option<&Roots> {
    match clients {
        ClientVerification::Off => None,
        ClientVerification::Optional(roots) | ClientVerification::Required(roots, _) => Some(roots),
    }
}

/// Picks the certificate: of those whose key the client can verify the first that is for the SNI, else the first.
#[derive(Debug)]
struct ByName {
    keys: Vec<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let usable = || {
            self.keys
                .iter()
                .filter(|key| key.key.choose_scheme(hello.signature_schemes()).is_some())
        };
        let name = hello
            .server_name()
            .and_then(|name| ServerName::try_from(name).ok());
        let named = name.and_then(|name| usable().find(|key| is_for(key, &name)));
        named.or_else(|| usable().next()).cloned()
    }
}

fn is_for(key: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let certificate = key.end_entity_cert().and_then(ParsedCertificate::try_from);
    certificate
        .is_ok_and(|certificate| rustls::client::verify_server_name(&certificate, name).is_ok())
}
