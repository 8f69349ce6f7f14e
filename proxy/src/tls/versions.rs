//! TLS parameters of handshakes: versions, suites and curves.

use std::sync::Arc;

use egret_config::model::tls::{CipherSuite, Curve};
use rustls::SupportedProtocolVersion;
use rustls::crypto::aws_lc_rs::cipher_suite::{
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
};
use rustls::crypto::aws_lc_rs::kx_group::{SECP256R1, SECP384R1, X25519, X25519MLKEM768};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::version::{TLS12, TLS13};

use crate::tls::crypto::provider;

/// The allowed versions among TLS 1.3 and 1.2.
pub(in crate::tls) fn versions(
    only_tls13: bool,
    only_tls12: bool,
) -> Vec<&'static SupportedProtocolVersion> {
    match (only_tls12, only_tls13) {
        (false, false) => vec![&TLS13, &TLS12],
        (false, true) => vec![&TLS13],
        (true, false) => vec![&TLS12],
        (true, true) => vec![],
    }
}

/// The cryptography with these suites of TLS 1.2 in this order, and those of TLS 1.3, and with these curves in this
/// order. An empty list stands for all.
pub(in crate::tls) fn speaking(suites: &[CipherSuite], curves: &[Curve]) -> Arc<CryptoProvider> {
    if suites.is_empty() && curves.is_empty() {
        return provider();
    }
    let mut provider = CryptoProvider::clone(&provider());
    if !suites.is_empty() {
        provider
            .cipher_suites
            .retain(|suite| suite.tls13().is_some());
        let configured = suites.iter().map(|suite| match suite {
            CipherSuite::EcdsaAes128 => TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            CipherSuite::EcdsaAes256 => TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            CipherSuite::EcdsaChaCha20 => TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            CipherSuite::RsaAes128 => TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            CipherSuite::RsaAes256 => TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            CipherSuite::RsaChaCha20 => TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        });
        provider.cipher_suites.extend(configured);
    }
    if !curves.is_empty() {
        let configured = curves.iter().map(|curve| -> &'static dyn SupportedKxGroup {
            match curve {
                Curve::P256 => SECP256R1,
                Curve::P384 => SECP384R1,
                Curve::X25519 => X25519,
                Curve::X25519MlKem768 => X25519MLKEM768,
            }
        });
        provider.kx_groups = configured.collect();
    }
    Arc::new(provider)
}
