//! `Gateway`, networking.istio.io.

use std::collections::BTreeMap;

use super::shared::Port;

object! {
    /// `spec` of a Gateway.
    pub struct Gateway {
        pub servers: Vec<Server>,
        pub selector: BTreeMap<String, String>,
    }
}

object! {
    /// `Server`.
    pub struct Server {
        pub port: Option<Port>,
        pub bind: String,
        pub hosts: Vec<String>,
        pub tls: Option<ServerTls>,
        pub default_endpoint: String,
        pub name: String,
    }
}

object! {
    /// `ServerTLSSettings`.
    pub struct ServerTls {
        pub https_redirect: bool,
        pub mode: String,
        pub server_certificate: String,
        pub private_key: String,
        pub ca_certificates: String,
        pub ca_crl: String,
        pub credential_name: String,
        pub credential_names: Vec<String>,
        pub ca_cert_credential_name: String,
        pub tls_certificates: Vec<TlsCertificate>,
        pub subject_alt_names: Vec<String>,
        pub verify_certificate_spki: Vec<String>,
        pub verify_certificate_hash: Vec<String>,
        pub min_protocol_version: String,
        pub max_protocol_version: String,
        pub cipher_suites: Vec<String>,
        pub insecure_skip_verify: Option<bool>,
    }
}

object! {
    /// `ServerTLSSettings.TLSCertificate`.
    pub struct TlsCertificate {
        pub server_certificate: String,
        pub private_key: String,
        pub ca_certificates: String,
    }
}
