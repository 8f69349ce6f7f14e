//! Certificates that a policy revokes, or lists by their digests.

use egret_config::model::tls::{Digest, Revoked};
use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevokedCertParams, date_time_ymd};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::*;
use crate::tls::crypto::sha256;

const HOST: Option<&str> = Some("shop.example");

impl Authority {
    /// A list of these serial numbers, renewed by the first of January of that year.
    fn list(&self, serials: &[u64], until: i32) -> String {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: (*serial).into(),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(until, 1, 1),
            crl_number: 1.into(),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = params.signed_by(&self.issuer).expect("list");
        list.pem().expect("PEM")
    }

    fn pair(&self, names: &[&str], serial: u64) -> KeyFiles {
        let (certificate, key) = self.numbered(names, Some(serial));
        KeyFiles::Pem {
            certificate: certificate.into(),
            key: key.into(),
        }
    }
}

#[tokio::test]
async fn a_server_with_a_revoked_certificate_is_refused() {
    let (authority, namesake) = (Authority::new(), Authority::new());
    let other = Authority::called("other");
    let server = server(vec![authority.pair(&["shop.example"], 7)]);
    let mut policy = client(authority.roots());
    let both = other.list(&[7], 2100) + &authority.list(&[8], 2100);
    for (list, refusal) in [
        (authority.list(&[], 2100), None),
        (authority.list(&[8], 2100), None),
        (both, None),
        (
            authority.list(&[8, 7], 2100),
            Some("was taken back by its authority"),
        ),
        (
            authority.list(&[8], 2021),
            Some("renew it by 2021-01-01T00:00:00Z"),
        ),
        (other.list(&[8], 2100), Some("has no list of an authority")),
        (namesake.list(&[8], 2100), Some("does not state whether")),
    ] {
        policy.revoked = Some(Revoked::Pem(list.into()));
        let met = meet(&policy, &[], HOST, &server).await;
        match refusal {
            None => assert!(met.client.is_ok(), "{:?}", met.client),
            Some(part) => {
                let message = error_message(met.client);
                assert!(message.contains(part), "{message}");
                assert!(
                    message.contains("the secret's revocation lists"),
                    "{message}"
                );
            }
        }
    }
    for (text, why) in [
        ("", "holds no list of certificates taken back"),
        (
            "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
            "holds no usable list",
        ),
    ] {
        policy.revoked = Some(Revoked::Pem(text.into()));
        let message = error_message(meet(&policy, &[], HOST, &server).await.client);
        assert!(message.contains(why), "{message}");
    }
}

#[tokio::test]
async fn a_client_with_a_revoked_certificate_is_refused() {
    let authority = Authority::new();
    let mut server = server(vec![authority.keys(&["shop.example"])]);
    let mut policy = client(authority.roots());
    for required in [true, false] {
        for (serial, fits) in [(7, false), (8, true)] {
            let accepted = Accepted {
                revoked: Some(Revoked::Pem(authority.list(&[7], 2100).into())),
                ..Accepted::signed_by(authority.roots())
            };
            server.clients = if required {
                ClientVerification::Required(accepted)
            } else {
                ClientVerification::Optional(accepted)
            };
            policy.mode = ClientTlsMode::Mutual(authority.pair(&["client.example"], serial));
            let met = meet(&policy, &[], HOST, &server).await;
            assert_eq!(met.server.is_ok(), fits, "{required} {serial}");
            assert_eq!(met.client.is_ok(), fits, "{required} {serial}");
        }
    }
}

#[tokio::test]
async fn a_client_is_known_by_the_digest_of_its_certificate_or_of_its_key() {
    let authority = Authority::new();
    let mut server = server(vec![authority.keys(&["shop.example"])]);
    let mut policy = client(authority.roots());
    let (certificate, key) = authority.leaf(&["client.example"]);
    let der = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM");
    let own = sha256(&der);
    let spki = KeyPair::from_pem(&key).expect("key");
    let spki = sha256(&rcgen::PublicKeyData::subject_public_key_info(&spki));
    policy.mode = ClientTlsMode::Mutual(KeyFiles::Pem {
        certificate: certificate.into(),
        key: key.into(),
    });
    let (none, other): (&[Digest], Digest) = (&[], [7; 32]);
    for (certificates, keys, fits) in [
        (none, none, true),
        (&[other, own], none, true),
        (none, &[other, spki], true),
        (&[other], &[spki], true),
        (&[own], &[other], true),
        (&[other], none, false),
        (none, &[other], false),
        (&[spki], &[own], false),
    ] {
        server.clients = ClientVerification::Required(Accepted {
            certificates: certificates.to_vec(),
            keys: keys.to_vec(),
            ..Accepted::signed_by(authority.roots())
        });
        let met = meet(&policy, &[], HOST, &server).await;
        assert_eq!(met.server.is_ok(), fits, "{certificates:?} {keys:?}");
        if !fits {
            let message = error_message(met.server);
            assert!(message.contains("none of those listed"), "{message}");
        }
    }
}
