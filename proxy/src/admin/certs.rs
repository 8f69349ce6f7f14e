//! `/certs`: the certificates of TLS that is originated or terminated, in Envoy's shape (`envoy.admin.v3.Certificates`).
//! Private keys are on no page.

use std::fs;
use std::sync::Arc;

use egret_config::view::{CertificatesView, PemView};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::admin::page::Page;
use crate::admin::state::Admin;
use crate::tls::certificate::{AltName, CertificateFacts, certificates};

/// Seconds of a day.
const DAY: i64 = 86_400;

/// The largest file that is read.
const FILE_MAX: u64 = 4 << 20;

/// The certificates of each policy.
pub(super) fn page(admin: &Admin) -> Page {
    let snapshot = admin.current.load();
    let now = Timestamp::now();
    let policies = snapshot.certificates().into_iter();
    let values: Vec<Value> = policies.map(|policy| policy_value(&policy, now)).collect();
    Page::json(&json!({ "certificates": values }))
}

/// The days until the first certificate expires, whole ones; `None` where there is no certificate.
pub(super) fn days_until_first_expiry(admin: &Admin) -> Option<u64> {
    let (snapshot, now) = (admin.current.load(), Timestamp::now());
    let policies = snapshot.certificates();
    let sources = policies
        .iter()
        .flat_map(|policy| policy.authorities.iter().chain(&policy.chains));
    let certificates = sources.flat_map(|source| certificates(&pem(source).1));
    certificates.map(|facts| days_left(&facts, now)).min()
}

/// Whole days until a certificate expires; 0 afterwards.
fn days_left(facts: &CertificateFacts, now: Timestamp) -> u64 {
    let left = facts.expiration_time.as_second() - now.as_second();
    u64::try_from(left / DAY).unwrap_or_default()
}

fn policy_value(policy: &CertificatesView, now: Timestamp) -> Value {
    let list = |sources: &[PemView]| -> Vec<Value> {
        let sources = sources.iter();
        sources.flat_map(|source| values(source, now)).collect()
    };
    json!({
        "ca_cert": list(policy.authorities.as_slice()),
        "cert_chain": list(&policy.chains),
    })
}

/// The certificates of a PEM text. A file that cannot be read has none, but its path is shown.
fn values(source: &PemView, now: Timestamp) -> Vec<Value> {
    let (path, pem) = pem(source);
    let found = certificates(&pem);
    if found.is_empty() {
        return vec![json!({ "path": path })];
    }
    found.iter().map(|facts| value(path, facts, now)).collect()
}

/// Where certificates are, and their text.
fn pem(source: &PemView) -> (&str, Vec<u8>) {
    match source {
        PemView::File(path) => (path, read(path)),
        PemView::Text(text) => ("<inline>", Arc::clone(text).as_bytes().to_vec()),
    }
}

fn read(path: &str) -> Vec<u8> {
    let is_small = fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() <= FILE_MAX);
    match is_small {
        true => fs::read(path).unwrap_or_default(),
        false => Vec::new(),
    }
}

fn value(path: &str, facts: &CertificateFacts, now: Timestamp) -> Value {
    let names: Vec<Value> = facts
        .subject_alt_names
        .iter()
        .map(|name| match name {
            AltName::Dns(name) => json!({ "dns": name }),
            AltName::Uri(uri) => json!({ "uri": uri }),
            AltName::Ip(ip) => json!({ "ip_address": ip }),
        })
        .collect();
    json!({
        "path": path,
        "serial_number": facts.serial_number,
        "subject_alt_names": names,
        "days_until_expiration": days_left(facts, now).to_string(),
        "valid_from": facts.valid_from.to_string(),
        "expiration_time": facts.expiration_time.to_string(),
    })
}
