//! TLS of a Gateway's server: `servers[].tls`.

use std::sync::Arc;

use crate::model::read::enum_value;
use crate::model::secret::Secrets;
use crate::model::tls::certificates::{KeyFiles, Roots, mesh_keys, mesh_roots};
use crate::model::tls::client_verification::{ClientVerification, accepted, authorities};
use crate::model::tls::curves::Curve;
use crate::model::tls::hashed::Hashed;
use crate::model::tls::server_keys::{own_sources, sources};
use crate::model::tls::suites::{self, CipherSuite};
use crate::problem::{Diagnostics, NO_VALUE};
use crate::wire::gateway::ServerTls as Wire;

/// What a server does with TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerTlsMode {
    /// Plaintext.
    None,
    /// Plaintext HTTP that is always answered with a redirect to https (`httpsRedirect`).
    RedirectToHttps,
    /// `PASSTHROUGH`: routed by SNI.
    Passthrough,
    /// `AUTO_PASSTHROUGH`: the SNI names the cluster.
    AutoPassthrough,
    /// Decrypted here.
    Terminate(Hashed<ServerTls>),
}

/// TLS that a gateway terminates (`Gateway.servers[].tls`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerTls {
    /// The server's certificates; none while the Secret that has them is missing: then no handshake succeeds.
    pub keys: Vec<KeyFiles>,
    /// Whether and against what clients are verified.
    pub clients: ClientVerification,
    /// `ISTIO_MUTUAL`: with the mesh's own certificates.
    pub in_mesh: bool,
    /// Whether `minProtocolVersion` is TLS 1.3; `None` where it is unset.
    pub only_tls13: Option<bool>,
    /// `maxProtocolVersion` is TLS 1.2.
    pub only_tls12: bool,
    /// `cipherSuites` of TLS 1.2; empty for all. TLS 1.3 has its own, which are not configurable.
    pub suites: Vec<CipherSuite>,
    /// The mesh's `ecdhCurves`; empty for all.
    pub curves: Vec<Curve>,
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Passthrough,
    AutoPassthrough,
    Simple,
    Mutual,
    OptionalMutual,
    IstioMutual,
}

const MODES: [(&str, Mode); 6] = [
    ("PASSTHROUGH", Mode::Passthrough),
    ("SIMPLE", Mode::Simple),
    ("MUTUAL", Mode::Mutual),
    ("OPTIONAL_MUTUAL", Mode::OptionalMutual),
    ("ISTIO_MUTUAL", Mode::IstioMutual),
    ("AUTO_PASSTHROUGH", Mode::AutoPassthrough),
];

/// `TLS_AUTO` is whatever both sides have; versions below 1.2 are not supported.
#[derive(Clone, Copy, PartialEq)]
enum Version {
    Auto,
    Old,
    Tls12,
    Tls13,
}

const VERSIONS: [(&str, Version); 5] = [
    ("TLS_AUTO", Version::Auto),
    ("TLSV1_0", Version::Old),
    ("TLSV1_1", Version::Old),
    ("TLSV1_2", Version::Tls12),
    ("TLSV1_3", Version::Tls13),
];

/// Whether the mode is one that keeps no certificates.
pub(crate) fn passes_through(wire: &Wire) -> bool {
    matches!(wire.mode.as_str(), "" | "PASSTHROUGH" | "AUTO_PASSTHROUGH")
}

/// Reads `tls` of a server whose protocol has TLS.
pub(crate) fn parse(
    wire: &Wire,
    diagnostics: &mut Diagnostics<'_>,
    secrets: &Secrets,
    namespace: &str,
) -> Option<ServerTlsMode> {
    let mode = enum_value(diagnostics, "mode", &wire.mode, &MODES)?;
    let least = enum_value(
        diagnostics,
        "minProtocolVersion",
        &wire.min_protocol_version,
        &VERSIONS,
    )?;
    let most = enum_value(
        diagnostics,
        "maxProtocolVersion",
        &wire.max_protocol_version,
        &VERSIONS,
    )?;
    if least == Version::Tls13 && most == Version::Tls12 || most == Version::Old {
        diagnostics.error(
            "maxProtocolVersion",
            &wire.max_protocol_version,
            (
                "leaves no version of TLS that is supported",
                "write TLSV1_3 or leave it out",
            ),
        );
    }
    let suites = suites::parse(&wire.cipher_suites, diagnostics);
    let only_tls13 = match least {
        Version::Tls13 => Some(true),
        _ if suites.is_none() => Some(true),
        Version::Auto => None,
        Version::Old | Version::Tls12 => Some(false),
    };
    let suites = suites.unwrap_or_default();
    if only_tls13 == Some(true) && most == Version::Tls12 {
        diagnostics.error(
            "cipherSuites",
            wire.cipher_suites.join(", "),
            "leaves none for TLS 1.2, the only version that is allowed",
        );
    }
    if least == Version::Old {
        let message = (
            "TLS 1.2 is the oldest supported version",
            "write TLSV1_2 or leave it out",
        );
        diagnostics.warn("minProtocolVersion", &wire.min_protocol_version, message);
    }
    let (mut keys, roots) = match mode {
        Mode::Passthrough => {
            unused(wire, diagnostics);
            return Some(ServerTlsMode::Passthrough);
        }
        Mode::AutoPassthrough => {
            unused(wire, diagnostics);
            return Some(ServerTlsMode::AutoPassthrough);
        }
        Mode::IstioMutual => {
            for (part, value) in own_sources(wire) {
                if value {
                    diagnostics.error(
                        part,
                        NO_VALUE,
                        (
                            "ISTIO_MUTUAL uses the mesh's own certificates",
                            "leave it out",
                        ),
                    );
                }
            }
            (vec![mesh_keys()], Some(mesh_roots()))
        }
        Mode::Simple | Mode::Mutual | Mode::OptionalMutual => {
            sources(wire, diagnostics, secrets, namespace)
        }
    };
    let roots = match wire.ca_cert_credential_name.as_str() {
        "" => roots,
        // It goes before what the server's own Secret has.
        name => authorities(name, diagnostics, secrets, namespace),
    };
    let clients = match (mode, roots) {
        (Mode::Simple, _) => {
            idle(wire, diagnostics);
            ClientVerification::Off
        }
        (_, None) if !of_secret(wire) => {
            diagnostics.error(
                "caCertificates",
                NO_VALUE,
                (
                    "required in order to verify clients",
                    "give a file, or a credentialName",
                ),
            );
            return None;
        }
        (mode, roots) => {
            let roots = roots.unwrap_or_else(|| {
                unverifiable(wire, &mut keys, diagnostics);
                Roots::Pem(Arc::default())
            });
            let accepted = accepted(wire, diagnostics, secrets, namespace, roots);
            if mode == Mode::OptionalMutual {
                ClientVerification::Optional(accepted)
            } else {
                ClientVerification::Required(accepted)
            }
        }
    };
    Some(ServerTlsMode::Terminate(Hashed::new(ServerTls {
        keys,
        in_mesh: mode == Mode::IstioMutual,
        clients,
        only_tls13,
        only_tls12: most == Version::Tls12,
        suites,
        curves: Vec::new(),
    })))
}

/// Certificates of a server that ends no TLS.
fn unused(wire: &Wire, diagnostics: &mut Diagnostics<'_>) {
    let named = own_sources(wire)
        .into_iter()
        .chain([("caCrl", !wire.ca_crl.is_empty())]);
    for (part, _) in named.filter(|(_, used)| *used) {
        let message = (
            "has no effect: TLS passes through to the destination",
            "leave it out, or set mode SIMPLE",
        );
        diagnostics.warn(part, NO_VALUE, message);
    }
}

/// Settings about client certificates, where none are requested.
fn idle(wire: &Wire, diagnostics: &mut Diagnostics<'_>) {
    if !wire.ca_crl.is_empty() && !of_secret(wire) {
        let message = (
            "not for mode SIMPLE, which requests no client certificate",
            "leave it out, or set mode MUTUAL",
        );
        diagnostics.error("caCrl", &wire.ca_crl, message);
    }
    for (part, values) in [
        ("verifyCertificateSpki", &wire.verify_certificate_spki),
        ("verifyCertificateHash", &wire.verify_certificate_hash),
    ] {
        let value = values.join(", ");
        if !value.is_empty() {
            let message = (
                "has no effect in mode SIMPLE, which requests no client certificate",
                "leave it out",
            );
            diagnostics.warn(part, value, message);
        }
    }
}

/// Whether the authorities for clients are those of a Secret.
fn of_secret(wire: &Wire) -> bool {
    let named = [&wire.ca_cert_credential_name, &wire.credential_name];
    named.iter().any(|name| !name.is_empty()) || !wire.credential_names.is_empty()
}

/// Takes the certificates from a server whose Secret has no authorities for clients, so that it accepts no connection.
fn unverifiable(wire: &Wire, keys: &mut Vec<KeyFiles>, diagnostics: &mut Diagnostics<'_>) {
    // Other missing things were reported where they were looked up.
    if !keys.is_empty() && wire.ca_cert_credential_name.is_empty() {
        diagnostics.warn(
            "credentialName",
            &wire.credential_name,
            "neither this Secret nor one called as it and -cacert has ca.crt, by which clients are verified; every \
             handshake is refused until it is there",
        );
    }
    keys.clear();
}
