//! Secrets: certificates and keys that `credentialName` names.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::name::{ObjectName, ROOT_NAMESPACE};
use crate::problem::{Diagnostics, NO_VALUE};
use crate::value::base64;
use crate::wire::kubernetes::{Hidden, Secret as Wire};

/// PEM texts of one Secret, by the keys that Istio reads.
#[derive(Clone, Default)]
pub struct Secret {
    /// `tls.crt` or `cert`.
    pub certificate: Option<Arc<str>>,
    /// `tls.key` or `key`.
    pub key: Option<Arc<str>>,
    /// `ca.crt` or `cacert`.
    pub roots: Option<Arc<str>>,
    /// `ca.crl` or `crl`.
    pub revoked: Option<Arc<str>>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret (hidden)")
    }
}

/// Every Secret that was loaded.
#[derive(Debug, Default)]
pub struct Secrets {
    by_name: BTreeMap<ObjectName, Arc<Secret>>,
    looked_up: Cell<bool>,
}

impl Secrets {
    /// Adds one.
    pub(crate) fn insert(&mut self, name: ObjectName, secret: Arc<Secret>) {
        self.by_name.insert(name, secret);
    }

    /// Whether any was looked up so far: what was made with these Secrets may depend on them.
    pub(crate) fn were_looked_up(&self) -> bool {
        self.looked_up.get()
    }

    /// The Secret that `credential_name`, written by an object of `namespace`, means.
    ///
    /// Istio looks it up in the proxy's namespace, which is not known here: the result is the one Secret of that name, or
    /// among several the one of the root namespace, then of the object's own. `kubernetes://`, `kubernetes-gateway://`
    /// and `namespace/name` are understood.
    pub fn find(&self, credential_name: &str, namespace: &str) -> Option<&Secret> {
        self.looked_up.set(true);
        self.found(credential_name, namespace)
            .map(|secret| &**secret)
    }

    fn found(&self, credential_name: &str, namespace: &str) -> Option<&Arc<Secret>> {
        let bare = credential_name
            .split_once("://")
            .map_or(credential_name, |(_, rest)| rest);
        if let Some((namespace, name)) = bare.split_once('/') {
            return self.by_name.get(&ObjectName::new(namespace, name));
        }
        let mut named = self.by_name.iter().filter(|(name, _)| *name.name == *bare);
        match (named.next(), named.next()) {
            (Some((_, only)), None) => Some(only),
            (None, _) => None,
            (Some(_), Some(_)) => [ROOT_NAMESPACE, namespace]
                .into_iter()
                .find_map(|namespace| self.by_name.get(&ObjectName::new(namespace, bare))),
        }
    }

    /// The authorities for `credential_name`: in the Secret itself, or in a second one called `NAME-cacert`.
    pub fn roots(&self, credential_name: &str, namespace: &str) -> Option<Arc<str>> {
        self.own_or_beside(credential_name, namespace, |secret| secret.roots.clone())
    }

    /// The lists of certificates taken back, found as [`Secrets::roots`] are.
    pub fn revoked(&self, credential_name: &str, namespace: &str) -> Option<Arc<str>> {
        self.own_or_beside(credential_name, namespace, |secret| secret.revoked.clone())
    }

    fn own_or_beside(
        &self,
        credential_name: &str,
        namespace: &str,
        part: impl Fn(&Secret) -> Option<Arc<str>>,
    ) -> Option<Arc<str>> {
        let own = self.find(credential_name, namespace).and_then(&part);
        own.or_else(|| part(self.find(&format!("{credential_name}-cacert"), namespace)?))
    }
}

/// Reads a Secret; keys that Istio does not read are skipped.
pub(crate) fn parse(wire: &Wire, diagnostics: &mut Diagnostics<'_>) -> Secret {
    let mut text = |names: [&str; 2]| {
        names.iter().find_map(|name| {
            if let Some(Hidden(plain)) = wire.string_data.get(*name) {
                return Some(Arc::from(plain.as_str()));
            }
            let Hidden(encoded) = wire.data.get(*name)?;
            let decoded = base64::decode(encoded).and_then(|bytes| String::from_utf8(bytes).ok());
            if decoded.is_none() {
                diagnostics.error(&format!("data.{name}"), NO_VALUE, "expected text in base64");
            }
            decoded.map(Arc::from)
        })
    };
    Secret {
        certificate: text(["tls.crt", "cert"]),
        key: text(["tls.key", "key"]),
        roots: text(["ca.crt", "cacert"]),
        revoked: text(["ca.crl", "crl"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_found_by_name() {
        let mut secrets = Secrets::default();
        let secret = |roots: &str| Secret {
            roots: Some(roots.into()),
            ..Secret::default()
        };
        for (namespace, name) in [
            ("a", "one"),
            ("a", "two"),
            ("b", "two"),
            ("istio-system", "three"),
            ("b", "three"),
            ("b", "one-cacert"),
        ] {
            secrets.insert(
                ObjectName::new(namespace, name),
                Arc::new(secret(namespace)),
            );
        }
        for (name, namespace, expected) in [
            ("one", "b", Some("a")),
            ("kubernetes://one", "b", Some("a")),
            ("b/two", "a", Some("b")),
            ("two", "b", Some("b")),
            ("two", "c", None),
            ("three", "b", Some("istio-system")),
            ("none", "b", None),
        ] {
            assert_eq!(
                secrets.roots(name, namespace).as_deref(),
                expected,
                "{name}"
            );
        }
    }
}
