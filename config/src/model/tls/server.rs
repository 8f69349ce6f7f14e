//! Gateway `servers[].tls`, read.

use std::sync::Arc;

use crate::model::read::word;
use crate::model::secret::Secrets;
use crate::model::tls::hashed::Hashed;
use crate::model::tls::types::{
    Accepted, ClientVerification, KeyFiles, Revoked, Roots, ServerTls, ServerTlsMode, mesh_keys,
    mesh_roots,
};
use crate::model::tls::{digests, suites};
use crate::problem::{Diagnostics, NO_VALUE};
use crate::wire::gateway::ServerTls as Wire;

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

/// `TLS_AUTO` is whatever both sides have; below 1.2 is no longer spoken.
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
    let mode = word(diagnostics, "mode", &wire.mode, &MODES)?;
    let least = word(
        diagnostics,
        "minProtocolVersion",
        &wire.min_protocol_version,
        &VERSIONS,
    )?;
    let most = word(
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
        let what = (
            "TLS 1.2 is the oldest supported version",
            "write TLSV1_2 or leave it out",
        );
        diagnostics.warn("minProtocolVersion", &wire.min_protocol_version, what);
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
        let what = (
            "has no effect: TLS passes through to the destination",
            "leave it out, or set mode SIMPLE",
        );
        diagnostics.warn(part, NO_VALUE, what);
    }
}

/// Settings about the certificates of clients, which are not asked for any.
fn idle(wire: &Wire, diagnostics: &mut Diagnostics<'_>) {
    if !wire.ca_crl.is_empty() && !of_secret(wire) {
        let what = (
            "not for mode SIMPLE, which requests no client certificate",
            "leave it out, or set mode MUTUAL",
        );
        diagnostics.error("caCrl", &wire.ca_crl, what);
    }
    for (part, values) in [
        ("verifyCertificateSpki", &wire.verify_certificate_spki),
        ("verifyCertificateHash", &wire.verify_certificate_hash),
    ] {
        let value = values.join(", ");
        if !value.is_empty() {
            let words = (
                "has no effect in mode SIMPLE, which requests no client certificate",
                "leave it out",
            );
            diagnostics.warn(part, value, words);
        }
    }
}

/// Whether the authorities for clients are those of a Secret.
fn of_secret(wire: &Wire) -> bool {
    let named = [&wire.ca_cert_credential_name, &wire.credential_name];
    named.iter().any(|name| !name.is_empty()) || !wire.credential_names.is_empty()
}

/// Takes the certificates from a server whose Secret has no authorities for clients, so that it accepts nobody.
fn unverifiable(wire: &Wire, keys: &mut Vec<KeyFiles>, diagnostics: &mut Diagnostics<'_>) {
    // What else is missing was told where it was looked for.
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

/// Which certificates of clients are accepted.
fn accepted(
    wire: &Wire,
    diagnostics: &mut Diagnostics<'_>,
    secrets: &Secrets,
    namespace: &str,
    roots: Roots,
) -> Accepted {
    // The lists stand beside the authorities.
    let listed = std::iter::once(&wire.ca_cert_credential_name)
        .chain([&wire.credential_name])
        .chain(&wire.credential_names)
        .find_map(|name| secrets.revoked(name, namespace));
    Accepted {
        roots,
        names: wire
            .subject_alt_names
            .iter()
            .map(|name| name.as_str().into())
            .collect(),
        revoked: Revoked::new(&wire.ca_crl, listed),
        keys: digests::of_keys(&wire.verify_certificate_spki, diagnostics),
        certificates: digests::of_certificates(&wire.verify_certificate_hash, diagnostics),
    }
}

/// The ways of naming certificates, and whether each is used.
fn own_sources(wire: &Wire) -> [(&'static str, bool); 6] {
    [
        ("credentialName", !wire.credential_name.is_empty()),
        ("credentialNames", !wire.credential_names.is_empty()),
        ("tlsCertificates", !wire.tls_certificates.is_empty()),
        ("serverCertificate", !wire.server_certificate.is_empty()),
        ("privateKey", !wire.private_key.is_empty()),
        ("caCertificates", !wire.ca_certificates.is_empty()),
    ]
}

/// The certificates of a server, and what clients are verified against. Without certificates no handshake succeeds.
fn sources(
    wire: &Wire,
    diagnostics: &mut Diagnostics<'_>,
    secrets: &Secrets,
    namespace: &str,
) -> (Vec<KeyFiles>, Option<Roots>) {
    // A certificate or a key alone beside a Secret is passed over, as in Istio.
    let pair = !wire.server_certificate.is_empty() && !wire.private_key.is_empty();
    let used = own_sources(wire)
        .into_iter()
        .take(3)
        .filter(|(_, used)| *used);
    if used.count() + usize::from(pair) > 1 {
        diagnostics.error(
            "",
            NO_VALUE,
            ("only one of credentialName, credentialNames, tlsCertificates and serverCertificate", "leave out the others"),
        );
    }
    if wire.tls_certificates.len() > 2 {
        let what = (
            "Envoy takes two certificates at most",
            "list one for RSA and one for ECDSA",
        );
        diagnostics.warn("tlsCertificates", wire.tls_certificates.len(), what);
    }
    let mut names: Vec<&str> = wire.credential_names.iter().map(String::as_str).collect();
    if !wire.credential_name.is_empty() {
        names = vec![&wire.credential_name];
    }
    if !names.is_empty() {
        let keys = names
            .iter()
            .map(|name| credential(name, diagnostics, secrets, namespace));
        let keys: Option<Vec<_>> = keys.collect();
        let roots = names.iter().find_map(|name| secrets.roots(name, namespace));
        return (keys.unwrap_or_default(), roots.map(Roots::Pem));
    }
    let roots = |file: &str| (!file.is_empty()).then(|| Roots::File(file.into()));
    if !wire.tls_certificates.is_empty() {
        let keys = diagnostics.each(
            "tlsCertificates",
            &wire.tls_certificates,
            |diagnostics, pair| files(diagnostics, &pair.server_certificate, &pair.private_key),
        );
        return (keys, roots(&wire.ca_certificates));
    }
    let keys = files(diagnostics, &wire.server_certificate, &wire.private_key);
    (keys.into_iter().collect(), roots(&wire.ca_certificates))
}

fn files(diagnostics: &mut Diagnostics<'_>, certificate: &str, key: &str) -> Option<KeyFiles> {
    for (part, value) in [("serverCertificate", certificate), ("privateKey", key)] {
        if value.is_empty() {
            diagnostics.error(
                part,
                NO_VALUE,
                ("required", "give a file, or a credentialName"),
            );
        }
    }
    Some(KeyFiles::Files {
        certificate: certificate.into(),
        key: key.into(),
    })
}

/// The authorities of `caCertCredentialName`. Without them no handshake succeeds, as clients cannot be verified.
fn authorities(
    name: &str,
    diagnostics: &mut Diagnostics<'_>,
    secrets: &Secrets,
    namespace: &str,
) -> Option<Roots> {
    let roots = secrets.roots(name, namespace);
    if roots.is_none() {
        diagnostics.warn(
            "caCertCredentialName",
            name,
            "no Secret of this name with ca.crt was loaded; every handshake is refused until it is there",
        );
    }
    roots.map(Roots::Pem)
}

/// What a Secret holds.
fn credential(
    name: &str,
    diagnostics: &mut Diagnostics<'_>,
    secrets: &Secrets,
    namespace: &str,
) -> Option<KeyFiles> {
    let keys = secrets.find(name, namespace).and_then(|secret| {
        Some(KeyFiles::Pem {
            certificate: secret.certificate.clone()?,
            key: secret.key.clone()?,
        })
    });
    if keys.is_none() {
        diagnostics.warn(
            "credentialName",
            name,
            "no Secret of this name with a certificate and its key was loaded; every handshake is refused until it is there",
        );
    }
    keys
}
