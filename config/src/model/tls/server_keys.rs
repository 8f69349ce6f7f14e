//! Where the certificates of a Gateway's server are.

use crate::model::secret::Secrets;
use crate::model::tls::certificates::{KeyFiles, Roots};
use crate::problem::{Diagnostics, NO_VALUE};
use crate::wire::gateway::ServerTls as Wire;

/// The ways of naming certificates, and whether each is used.
pub(super) fn own_sources(wire: &Wire) -> [(&'static str, bool); 6] {
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
pub(super) fn sources(
    wire: &Wire,
    diagnostics: &mut Diagnostics<'_>,
    secrets: &Secrets,
    namespace: &str,
) -> (Vec<KeyFiles>, Option<Roots>) {
    // A certificate or a key alone beside a Secret is ignored, as in Istio.
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
        let message = (
            "Envoy takes two certificates at most",
            "list one for RSA and one for ECDSA",
        );
        diagnostics.warn("tlsCertificates", wire.tls_certificates.len(), message);
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
