//! TLS that a gateway terminates: a server's `tls` to a rustls server, cached per policy.

use std::sync::Arc;

use egret_config::model::tls::{Accepted, ClientVerification, Hashed, ServerTls};
use http::HeaderValue;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::pki_types::ServerName;
use rustls::server::{
    Acceptor, ClientHello, ParsedCertificate, ResolvesServerCert, WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use crate::failure::{Cause, Failure};
use crate::report::facts::TlsFacts;
use crate::tls::alpn::Alpn;
use crate::tls::crypto::provider;
use crate::tls::files::{Files, Store, Unusable, certified_key, key_paths, list_path, root_path};
use crate::tls::verify::{ClientVerifier, Pins, Revocation, SystemRoots, reason, trusted};
use crate::tls::versions::{speaking, versions};
use crate::tls::{session, xfcc};

/// Makes TLS servers of policies. One for the process.
#[derive(Debug)]
pub struct Terminator {
    system: SystemRoots,
    servers: Store<(Hashed<ServerTls>, Alpn), ServerConfig>,
}

/// A terminated TLS connection of a client.
#[derive(Debug)]
pub struct Terminated<S> {
    /// The decrypted stream.
    pub stream: TlsStream<S>,
    /// The client's certificate, if it sent one, as an element of `x-forwarded-client-cert`.
    pub forwarded: Option<HeaderValue>,
    /// The facts of the handshake.
    pub facts: TlsFacts,
}

impl Terminator {
    /// A terminator with an empty cache.
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
        tls: &Hashed<ServerTls>,
        alpn: Alpn,
    ) -> Result<Terminated<S>, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let refused = |error: &std::io::Error| Failure::new(Cause::ClientTls, reason(error));
        let hello = LazyConfigAcceptor::new(Acceptor::default(), stream)
            .await
            .map_err(|error| refused(&error))?;
        let alpn = if has_one_of(&alpn, &hello.client_hello()) {
            alpn
        } else {
            // As in Envoy, a client that offers only unknown protocols is served.
            Alpn::None
        };
        let server = self
            .server(tls, alpn)
            .map_err(|unusable| Failure::new(Cause::Internal, unusable.to_string()))?;
        let own = server.cert_resolver.resolve(hello.client_hello());
        let accepted = hello.into_stream(server).await;
        let stream = accepted.map_err(|error| refused(&error))?;
        let connection = stream.get_ref().1;
        let own = own.as_ref().and_then(|own| own.cert.first());
        let facts = session::facts(connection, own, None);
        let client = connection.peer_certificates().unwrap_or_default();
        let forwarded = client.first().and_then(|client| xfcc::element(own, client));
        Ok(Terminated {
            stream,
            forwarded,
            facts,
        })
    }

    /// Whether a policy can be honoured now. Checked when the configuration is loaded, before the first call.
    ///
    /// # Errors
    /// The reason: a file that cannot be read or has other content.
    pub fn check(&self, tls: &Hashed<ServerTls>) -> Result<(), Unusable> {
        self.server(tls, Alpn::None).map(drop)
    }

    fn server(&self, tls: &Hashed<ServerTls>, alpn: Alpn) -> Result<Arc<ServerConfig>, Unusable> {
        let mut paths: Vec<_> = tls.keys.iter().flat_map(key_paths).collect();
        if let Some((accepted, _)) = clients(&tls.clients) {
            paths.extend(root_path(&accepted.roots));
            paths.extend(accepted.revoked.as_ref().and_then(list_path));
        }
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
        let versions = versions(tls.only_tls13 == Some(true), tls.only_tls12);
        if versions.is_empty() {
            let message =
                "no version of TLS is left: the mesh's tlsDefaults require 1.3, and the server 1.2";
            return Err(Unusable::new(message));
        }
        let builder = ServerConfig::builder_with_provider(speaking(&tls.suites, &tls.curves))
            .with_protocol_versions(&versions)
            .map_err(|error| Unusable::new(error.to_string()))?;
        let builder = match clients(&tls.clients) {
            None => builder.with_no_client_auth(),
            Some((accepted, required)) => {
                let verifier = self.client_verifier(accepted, required, files)?;
                builder.with_client_cert_verifier(Arc::new(verifier))
            }
        };
        let mut config = builder.with_cert_resolver(Arc::new(ByName { keys }));
        config.alpn_protocols = alpn.protocols();
        // Tickets belong to this policy with these files, so a resumed client was verified with the same authorities.
        config.ticketer = Ticketer::new()
            .map_err(|error| Unusable::new(format!("no session tickets: {error}")))?;
        Ok(config)
    }

    fn client_verifier(
        &self,
        accepted: &Accepted,
        required: bool,
        files: &Files,
    ) -> Result<ClientVerifier, Unusable> {
        let trusted = trusted(&accepted.roots, files, &self.system)?;
        let mut usual =
            WebPkiClientVerifier::builder_with_provider(trusted.store.clone(), provider());
        if !required {
            usual = usual.allow_unauthenticated();
        }
        let usual = usual
            .build()
            .map_err(|error| Unusable::new(error.to_string()))?;
        let revoked = accepted.revoked.as_ref();
        let revocation = revoked.map(|revoked| Revocation::read(revoked, files));
        Ok(ClientVerifier {
            usual,
            trusted,
            revocation: revocation.transpose()?,
            names: accepted.names.as_slice().into(),
            pins: Pins {
                keys: accepted.keys.clone(),
                certificates: accepted.certificates.clone(),
            },
        })
    }
}

#[cfg(test)]
impl Terminator {
    /// Makes the next use check the files.
    pub(in crate::tls) fn look_again(&self) {
        self.servers.look_again();
    }
}

impl Default for Terminator {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether the client offers one of these application protocols, or none at all.
fn has_one_of(own: &Alpn, hello: &ClientHello<'_>) -> bool {
    let own = own.protocols();
    hello
        .alpn()
        .is_none_or(|mut offered| offered.any(|one| own.iter().any(|protocol| **protocol == *one)))
}

/// The accepted client certificates, and whether clients must send one.
fn clients(clients: &ClientVerification) -> Option<(&Accepted, bool)> {
    match clients {
        ClientVerification::Off => None,
        ClientVerification::Optional(accepted) => Some((accepted, false)),
        ClientVerification::Required(accepted) => Some((accepted, true)),
    }
}

/// Picks the certificate: the first one for the SNI, else the first one, among those with a key that the client supports.
#[derive(Debug)]
struct ByName {
    keys: Vec<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if let [only] = &self.keys[..] {
            return Some(Arc::clone(only));
        }
        let usable = || {
            self.keys
                .iter()
                .filter(|key| key.key.choose_scheme(hello.signature_schemes()).is_some())
        };
        let name = hello
            .server_name()
            .and_then(|name| ServerName::try_from(name).ok());
        let named = name.and_then(|name| usable().find(|key| is_for(key, &name)));
        // With no key that the client supports, the handshake fails with the message that there is no common suite. Without
        // any key the message would be that access is denied.
        named
            .or_else(|| usable().next())
            .or_else(|| self.keys.first())
            .cloned()
    }
}

fn is_for(key: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let certificate = key.end_entity_cert().and_then(ParsedCertificate::try_from);
    certificate
        .is_ok_and(|certificate| rustls::client::verify_server_name(&certificate, name).is_ok())
}
