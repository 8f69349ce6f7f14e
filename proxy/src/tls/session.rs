//! The facts of a TLS session, for reports.

use rustls::pki_types::CertificateDer;
use rustls::{CipherSuite, CommonState, ProtocolVersion};
use webpki::EndEntityCert;

use crate::report::facts::{CertificateNames, TlsFacts};

/// The facts of a connection after its handshake. `local` is the certificate of egret, sent or not.
pub(in crate::tls) fn facts(
    connection: &CommonState,
    local: Option<&CertificateDer<'_>>,
    server_name: Option<&str>,
) -> TlsFacts {
    let peer = connection.peer_certificates().and_then(<[_]>::first);
    TlsFacts {
        version: connection.protocol_version().and_then(version),
        cipher: connection
            .negotiated_cipher_suite()
            .and_then(|suite| cipher(suite.suite())),
        has_peer_certificate: peer.is_some(),
        peer: peer.map(names).unwrap_or_default(),
        local: local.map(names).unwrap_or_default(),
        server_name: server_name.map(Into::into),
    }
}

fn version(version: ProtocolVersion) -> Option<&'static str> {
    match version {
        ProtocolVersion::TLSv1_3 => Some("TLSv1.3"),
        ProtocolVersion::TLSv1_2 => Some("TLSv1.2"),
        _ => None,
    }
}

/// OpenSSL's name of a suite, which Envoy uses too.
fn cipher(suite: CipherSuite) -> Option<&'static str> {
    Some(match suite {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        CipherSuite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "ECDHE-RSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => "ECDHE-RSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-RSA-CHACHA20-POLY1305",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "ECDHE-ECDSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => "ECDHE-ECDSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => {
            "ECDHE-ECDSA-CHACHA20-POLY1305"
        }
        _ => return None,
    })
}

/// The subject alternative names of a certificate; none of one that cannot be read.
fn names(certificate: &CertificateDer<'_>) -> CertificateNames {
    let Ok(read) = EndEntityCert::try_from(certificate) else {
        return CertificateNames::default();
    };
    CertificateNames {
        uris: joined(read.valid_uri_names()),
        dns: joined(read.valid_dns_names()),
    }
}

fn joined<'n>(names: impl Iterator<Item = &'n str>) -> Box<str> {
    let names: Vec<_> = names.collect();
    names.join(",").into()
}
