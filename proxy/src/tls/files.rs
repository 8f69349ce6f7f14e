//! Certificates and keys from PEM files, read again when their content changes.

use std::collections::HashMap;
use std::fs;
use std::hash::Hash;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use thiserror::Error;
use tokio::time::Instant;

use egret_config::model::tls::{KeyFiles, Revoked, Roots};

use crate::lock::lock;
use crate::tls::crypto::provider;

/// The shortest interval between checks of the files: a rotated certificate is used after this time.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The capacity of the cache, above the number of policies of a configuration. At capacity old entries are evicted.
const ENTRIES_MAX: usize = 4096;

/// A TLS policy cannot be honoured. Calls that need it fail; they never go out in the clear.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Unusable(pub Arc<str>);

impl Unusable {
    pub(in crate::tls) fn new(message: impl Into<String>) -> Self {
        Self(message.into().into())
    }
}

/// Values built from files, by policy. The files are checked on use. A value is rebuilt when its files change. It is kept,
/// with a warning, when they become unreadable or invalid.
#[derive(Debug)]
pub(in crate::tls) struct Store<K, V> {
    entries: Mutex<HashMap<K, Entry<V>>>,
}

#[derive(Debug)]
struct Entry<V> {
    value: Arc<V>,
    files: Files,
    checked: Instant,
}

/// The content of files, by path.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::tls) struct Files(HashMap<Arc<str>, Result<Vec<u8>, String>>);

impl Files {
    fn read(paths: &[&Arc<str>]) -> Self {
        let read =
            |path: &str| fs::read(path).map_err(|error| format!("cannot read `{path}`: {error}"));
        Self(
            paths
                .iter()
                .map(|path| (Arc::clone(path), read(path)))
                .collect(),
        )
    }

    pub(in crate::tls) fn get(&self, path: &str) -> Result<&[u8], Unusable> {
        match self.0.get(path) {
            Some(Ok(content)) => Ok(content),
            Some(Err(message)) => Err(Unusable::new(message)),
            None => Err(Unusable::new(format!("`{path}` was not read"))),
        }
    }
}

impl<K: Clone + Eq + Hash, V> Store<K, V> {
    pub(in crate::tls) fn new() -> Self {
        Self {
            entries: Mutex::new(HashMap::new()),
        }
    }

    /// The value for `key`, built from the files at `paths` if there is none or they changed.
    pub(in crate::tls) fn get(
        &self,
        key: &K,
        paths: &[&Arc<str>],
        build: impl FnOnce(&Files) -> Result<V, Unusable>,
    ) -> Result<Arc<V>, Unusable> {
        let now = Instant::now();
        let mut entries = lock(&self.entries);
        let known = entries.get_mut(key);
        if let Some(entry) = &known
            && (paths.is_empty() || now.duration_since(entry.checked) < CHECK_INTERVAL)
        {
            return Ok(entry.value.clone());
        }
        let files = Files::read(paths);
        let Some(entry) = known else {
            let value = Arc::new(build(&files)?);
            if entries.len() >= ENTRIES_MAX {
                entries.clear();
            }
            entries.insert(
                key.clone(),
                Entry {
                    value: value.clone(),
                    files,
                    checked: now,
                },
            );
            return Ok(value);
        };
        entry.checked = now;
        if files != entry.files {
            match build(&files) {
                Ok(value) => entry.value = Arc::new(value),
                Err(error) => tracing::warn!(%error, "the certificates in use stay in use"),
            }
            entry.files = files;
        }
        Ok(entry.value.clone())
    }

    /// Makes the next use check the files.
    #[allow(clippy::iter_over_hash_type, reason = "each entry is aged by itself")]
    #[cfg(test)]
    pub(in crate::tls) fn look_again(&self) {
        for entry in self
            .entries
            .lock()
            .expect("no test panics with the lock")
            .values_mut()
        {
            entry.checked -= CHECK_INTERVAL;
        }
    }
}

/// The files of a chain and its key.
pub(in crate::tls) fn key_paths(keys: &KeyFiles) -> Vec<&Arc<str>> {
    match keys {
        KeyFiles::Files { certificate, key } => vec![certificate, key],
        KeyFiles::Pem { .. } => vec![],
    }
}

/// The file of the authorities.
pub(in crate::tls) fn root_path(roots: &Roots) -> Option<&Arc<str>> {
    match roots {
        Roots::File(path) => Some(path),
        Roots::System | Roots::Pem(_) => None,
    }
}

/// The file of the certificate revocation lists.
pub(in crate::tls) fn list_path(revoked: &Revoked) -> Option<&Arc<str>> {
    match revoked {
        Revoked::File(path) => Some(path),
        Revoked::Pem(_) => None,
    }
}

/// A chain with its matching key.
pub(in crate::tls) fn certified_key(
    keys: &KeyFiles,
    files: &Files,
) -> Result<CertifiedKey, Unusable> {
    let (certificate_pem, key_pem, chain_name, key_name) = match keys {
        KeyFiles::Files { certificate, key } => (
            files.get(certificate)?,
            files.get(key)?,
            format!("`{certificate}`"),
            format!("`{key}`"),
        ),
        KeyFiles::Pem { certificate, key } => (
            certificate.as_bytes(),
            key.as_bytes(),
            "the secret's certificate".into(),
            "the secret's key".into(),
        ),
    };
    let chain = certificates(certificate_pem, &chain_name)?;
    let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|error| match error {
        pem::Error::NoItemsFound => Unusable::new(format!("{key_name} holds no private key")),
        error => Unusable::new(format!("{key_name} is not PEM: {error}")),
    })?;
    CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => Unusable::new(format!(
            "{key_name} is not the key of the first certificate in {chain_name}"
        )),
        error => Unusable::new(format!("{key_name} cannot be used: {error}")),
    })
}

/// All certificates of a PEM text called `name`, at least one.
pub(in crate::tls) fn certificates(
    pem: &[u8],
    name: &str,
) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match parsed {
        Ok(certificates) if certificates.is_empty() => {
            Err(Unusable::new(format!("{name} holds no certificate")))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(Unusable::new(format!("{name} is not PEM: {error}"))),
    }
}

/// The certificates of authorities other than the system's, and their description.
pub(in crate::tls) fn authorities(
    roots: &Roots,
    files: &Files,
) -> Result<Option<(Vec<CertificateDer<'static>>, String)>, Unusable> {
    let (pem, name) = match roots {
        Roots::System => return Ok(None),
        Roots::File(path) => (files.get(path)?, format!("`{path}`")),
        Roots::Pem(pem) => (pem.as_bytes(), "the secret's authorities".into()),
    };
    certificates(pem, &name).map(|certificates| Some((certificates, name)))
}
