//! TLS that egret originates: `tls` of a DestinationRule.

use std::sync::Arc;

use crate::model::read::{enum_value, optional};
use crate::model::secret::Secrets;
use crate::model::tls::certificates::{KeyFiles, Revoked, Roots, mesh_keys, mesh_roots};
use crate::model::tls::curves::Curve;
use crate::model::tls::suites::CipherSuite;
use crate::problem::{Diagnostics, NO_VALUE};
use crate::wire::destination_rule::ClientTls as Wire;

/// TLS that egret originates (DestinationRule `trafficPolicy.tls`). `DISABLE` is the absence of this value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientTls {
    /// Who shows a certificate.
    pub mode: ClientTlsMode,
    /// `sni`: the name sent; `None` means the request's host for HTTP, none for byte streams.
    pub sni: Option<Arc<str>>,
    /// Names of which the certificate must have one. Empty: the SNI's name is verified.
    pub subject_alt_names: Vec<Arc<str>>,
    /// Where the trusted authorities are.
    pub roots: Roots,
    /// `caCrl`: certificates that their authorities took back.
    pub revoked: Option<Revoked>,
    /// `insecureSkipVerify`.
    pub skip_verify: bool,
    /// `ISTIO_MUTUAL`: the other end is a proxy of the mesh, which goes by Istio's application protocols.
    pub in_mesh: bool,
    /// The mesh's `cipherSuites` leave none for TLS 1.2.
    pub only_tls13: bool,
    /// The mesh's `cipherSuites` of TLS 1.2; empty for all.
    pub suites: Vec<CipherSuite>,
    /// The mesh's `ecdhCurves`; empty for all.
    pub curves: Vec<Curve>,
}

/// Modes of [`ClientTls`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ClientTlsMode {
    /// `SIMPLE`: only the server.
    Simple,
    /// `MUTUAL` and `ISTIO_MUTUAL` (with the mesh's own files): both.
    Mutual(KeyFiles),
    /// Cannot be honoured (a `credentialName` without its Secret); calls fail closed with this reason.
    Unusable(Arc<str>),
}

/// Reads `tls`; the inner `None` is mode DISABLE.
pub(crate) fn parse(
    wire: &Wire,
    diagnostics: &mut Diagnostics<'_>,
    secrets: &Secrets,
    namespace: &str,
) -> Option<ClientTls> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mode {
        Disable,
        Simple,
        Mutual,
        IstioMutual,
    }
    let modes = [
        ("DISABLE", Mode::Disable),
        ("SIMPLE", Mode::Simple),
        ("MUTUAL", Mode::Mutual),
        ("ISTIO_MUTUAL", Mode::IstioMutual),
    ];
    let mode = enum_value(diagnostics, "mode", &wire.mode, &modes)?;
    let skip_verify = wire.insecure_skip_verify.unwrap_or_default();
    let own = [
        ("clientCertificate", &wire.client_certificate),
        ("privateKey", &wire.private_key),
        ("caCertificates", &wire.ca_certificates),
        ("credentialName", &wire.credential_name),
    ];
    if mode == Mode::IstioMutual {
        for (part, value) in own {
            if !value.is_empty() {
                let message = (
                    "has no effect: ISTIO_MUTUAL uses the mesh's own certificates",
                    "leave it out",
                );
                diagnostics.warn(part, value, message);
            }
        }
    }
    let originates = matches!(mode, Mode::Simple | Mode::Mutual);
    let files_too = !wire.ca_crl.is_empty() || own[..3].iter().any(|(_, value)| !value.is_empty());
    if originates && !wire.credential_name.is_empty() && files_too {
        let message = ("excludes files", "leave the files out, also caCrl");
        diagnostics.error("credentialName", &wire.credential_name, message);
    }
    if skip_verify && originates {
        // In mode MUTUAL the Secret may hold nothing but egret's own certificate.
        let authorities = [("caCertificates", &wire.ca_certificates)].into_iter();
        let secret = (mode == Mode::Simple).then_some(("credentialName", &wire.credential_name));
        for (part, value) in authorities
            .chain(secret)
            .filter(|(_, value)| !value.is_empty())
        {
            let message = ("contradicts insecureSkipVerify", "leave one of them out");
            diagnostics.error(part, value, message);
        }
        if !wire.subject_alt_names.is_empty() {
            let names = wire.subject_alt_names.join(", ");
            let message = ("contradicts insecureSkipVerify", "leave one of them out");
            diagnostics.error("subjectAltNames", names, message);
        }
    }
    if skip_verify && !wire.ca_crl.is_empty() {
        diagnostics.warn(
            "caCrl",
            &wire.ca_crl,
            "has no effect: insecureSkipVerify verifies nothing",
        );
    }
    let listed = secrets.revoked(&wire.credential_name, namespace);
    let revoked = Revoked::new(&wire.ca_crl, listed);
    let in_mesh = mode == Mode::IstioMutual;
    let (mode, roots) = match mode {
        Mode::Disable => return None,
        Mode::IstioMutual => (ClientTlsMode::Mutual(mesh_keys()), mesh_roots()),
        Mode::Simple | Mode::Mutual if !wire.credential_name.is_empty() => {
            credential(wire, diagnostics, secrets, namespace, mode == Mode::Mutual)
        }
        Mode::Simple => (ClientTlsMode::Simple, files(wire)),
        Mode::Mutual => {
            for (part, value) in &own[..2] {
                if value.is_empty() {
                    diagnostics.error(
                        part,
                        NO_VALUE,
                        (
                            "required in mode MUTUAL",
                            "give a file, or a credentialName",
                        ),
                    );
                }
            }
            let keys = KeyFiles::Files {
                certificate: wire.client_certificate.as_str().into(),
                key: wire.private_key.as_str().into(),
            };
            (ClientTlsMode::Mutual(keys), files(wire))
        }
    };
    Some(ClientTls {
        mode,
        sni: optional(&wire.sni),
        subject_alt_names: wire
            .subject_alt_names
            .iter()
            .map(|name| name.as_str().into())
            .collect(),
        roots,
        revoked,
        skip_verify,
        in_mesh,
        only_tls13: false,
        suites: Vec::new(),
        curves: Vec::new(),
    })
}

fn files(wire: &Wire) -> Roots {
    match wire.ca_certificates.as_str() {
        // Istio's name for the operating system's bundle.
        "" | "system" => Roots::System,
        file => Roots::File(file.into()),
    }
}

/// What `credentialName` gives. Without its Secret calls fail; they never go out in plaintext.
fn credential(
    wire: &Wire,
    diagnostics: &mut Diagnostics<'_>,
    secrets: &Secrets,
    namespace: &str,
    mutual: bool,
) -> (ClientTlsMode, Roots) {
    let name = wire.credential_name.as_str();
    let roots = match secrets.roots(name, namespace) {
        Some(pem) => Roots::Pem(pem),
        None => Roots::System,
    };
    let mut unusable = |why: String| {
        diagnostics.warn(
            "credentialName",
            name,
            format!("{why}; calls are refused until it is there"),
        );
        ClientTlsMode::Unusable(Arc::from(why))
    };
    let secret = secrets.find(name, namespace);
    let mode = match secret {
        None if mutual || roots == Roots::System => {
            unusable(format!("no Secret called {name:?} was loaded"))
        }
        Some(secret) if mutual => match (&secret.certificate, &secret.key) {
            (Some(certificate), Some(key)) => ClientTlsMode::Mutual(KeyFiles::Pem {
                certificate: Arc::clone(certificate),
                key: Arc::clone(key),
            }),
            _ => unusable(format!("the Secret {name:?} has no certificate with key")),
        },
        Some(_) | None => ClientTlsMode::Simple,
    };
    (mode, roots)
}
