//! Handshakes in memory, and authorities that sign the certificates.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;

/// An authority that signs certificates.
pub(super) struct Authority {
    pub(super) issuer: Issuer<'static, KeyPair>,
    pub(super) pem: String,
}

impl Authority {
    pub(super) fn new() -> Self {
        Self::called("rcgen self signed cert")
    }

    pub(super) fn called(name: &str) -> Self {
        let key = KeyPair::generate().expect("key");
        let mut params = CertificateParams::new(vec![]).expect("params");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("certificate").pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// A leaf for these names; those with a scheme are URIs. Chain and key as PEM.
    pub(super) fn leaf(&self, names: &[&str]) -> (String, String) {
        self.numbered(names, None)
    }

    /// A leaf with this serial number.
    pub(super) fn numbered(&self, names: &[&str], serial: Option<u64>) -> (String, String) {
        let (uris, names): (Vec<&str>, Vec<&str>) =
            names.iter().partition(|name| name.contains("://"));
        let mut params =
            CertificateParams::new(names.into_iter().map(Into::into).collect::<Vec<_>>())
                .expect("params");
        params.serial_number = serial.map(Into::into);
        for uri in uris {
            params
                .subject_alt_names
                .push(SanType::URI(uri.try_into().expect("URI")));
        }
        let key = KeyPair::generate().expect("key");
        (
            params
                .signed_by(&key, &self.issuer)
                .expect("certificate")
                .pem(),
            key.serialize_pem(),
        )
    }

    pub(super) fn keys(&self, names: &[&str]) -> KeyFiles {
        let (certificate, key) = self.leaf(names);
        KeyFiles::Pem {
            certificate: certificate.into(),
            key: key.into(),
        }
    }

    pub(super) fn roots(&self) -> Roots {
        Roots::Pem(self.pem.as_str().into())
    }
}

pub(super) fn server(keys: Vec<KeyFiles>) -> ServerTls {
    ServerTls {
        keys,
        clients: ClientVerification::Off,
        in_mesh: false,
        only_tls13: None,
        only_tls12: false,
        suites: vec![],
        curves: vec![],
    }
}

pub(super) fn accepted(authority: &Authority, names: &[&str]) -> Accepted {
    Accepted {
        names: names.iter().map(|name| (*name).into()).collect(),
        ..Accepted::signed_by(authority.roots())
    }
}

pub(super) fn client(roots: Roots) -> ClientTls {
    ClientTls {
        mode: ClientTlsMode::Simple,
        sni: None,
        subject_alt_names: vec![],
        roots,
        revoked: None,
        skip_verify: false,
        in_mesh: false,
        only_tls13: false,
        suites: vec![],
        curves: vec![],
    }
}

/// The results: the client's ALPN and the server's SNI, or the failures.
pub(super) struct Met {
    pub(super) client: Result<Option<Vec<u8>>, Failure>,
    pub(super) server: Result<Option<String>, Failure>,
}

pub(super) async fn meet(
    client: &ClientTls,
    service_names: &[&str],
    host: Option<&str>,
    server: &ServerTls,
) -> Met {
    let ends = (&Originator::new(), &Terminator::new());
    meet_with(ends, client, service_names, host, server).await
}

pub(super) async fn meet_with(
    (originator, terminator): (&Originator, &Terminator),
    client: &ClientTls,
    service_names: &[&str],
    host: Option<&str>,
    server: &ServerTls,
) -> Met {
    let service_names: Arc<[Arc<str>]> = service_names.iter().map(|name| (*name).into()).collect();
    let (client, server) = (Hashed::new(client.clone()), Hashed::new(server.clone()));
    let (near, far) = duplex(1 << 16);
    let ask = async {
        let handshake = Handshake {
            tls: &client,
            service_names: &service_names,
            host,
            alpn: Alpn::Http2,
        };
        let (mut stream, _) = originator.connect(near, handshake).await?;
        // With TLS 1.3 a server refuses a client's certificate only after the client's handshake is complete.
        let mut byte = [0];
        let refused = |error: std::io::Error| {
            let message = verify::reason(&error);
            Failure::new(Cause::UpstreamTls(message.as_str().into()), message)
        };
        stream.read_exact(&mut byte).await.map_err(refused)?;
        Ok(stream.get_ref().1.alpn_protocol().map(Into::into))
    };
    let answer = async {
        let accepted = terminator.accept(far, &server, Alpn::Either).await?;
        let mut stream = accepted.stream;
        stream.write_all(b"!").await.expect("write");
        stream.flush().await.expect("flush");
        Ok(stream.get_ref().1.server_name().map(Into::into))
    };
    let (client, server) = tokio::join!(ask, answer);
    Met { client, server }
}

#[track_caller]
pub(super) fn error_message<T: std::fmt::Debug>(result: Result<T, Failure>) -> String {
    result.expect_err("a failure").to_string()
}
