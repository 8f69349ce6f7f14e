//! The cryptography of all TLS here.

use std::sync::{Arc, LazyLock};

use egret_config::model::tls::Digest;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;

/// The cryptography of all TLS here.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    PROVIDER.clone()
}

/// The SHA-256 of bytes.
pub fn sha256(bytes: &[u8]) -> Digest {
    let suite = TLS13_AES_128_GCM_SHA256.tls13();
    let hash = suite
        .expect("a suite of TLS 1.3 is one")
        .common
        .hash_provider;
    let digest = hash.hash(bytes);
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}
