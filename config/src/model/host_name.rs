//! The rules that Istio admits host names by.

use crate::problem::Diagnostics;

/// Whether a text is a DNS-1123 label as Istio checks it: letters, digits and inner dashes, at most 63.
pub(super) fn is_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    let alphanumeric = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    bytes.len() <= 63
        && alphanumeric(bytes.first())
        && alphanumeric(bytes.last())
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

/// What is wrong with a host name, if anything: the rules that Istio admits names by. A final dot is allowed.
pub(super) fn problem_of_name(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("a host name is required");
    }
    if text.len() > 255 {
        return Some("a host name has at most 255 characters");
    }
    let labels = text.strip_suffix('.').unwrap_or(text);
    if !labels.split('.').all(is_label) {
        return Some(
            "not a host name: expected labels of letters, digits and dashes, joined by dots",
        );
    }
    let last = labels.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some("the last part of a host name cannot be a number");
    }
    None
}

/// What is wrong with a host pattern, if anything: `*`, or a name whose first label may begin with `*`.
pub(super) fn problem_of_pattern(text: &str) -> Option<&'static str> {
    let Some(rest) = text.strip_prefix('*') else {
        return problem_of_name(text);
    };
    match rest.strip_prefix('.') {
        Some(suffix) => problem_of_name(suffix),
        None if rest.is_empty() => None,
        None => problem_of_name(rest.strip_prefix('-').unwrap_or(rest)),
    }
}

/// Refuses what may be a host elsewhere and not where objects of several namespaces name hosts: a name without dots, since
/// no namespace completes it there, and a wildcard that does not stand for whole labels. Returns whether it may stay.
pub(super) fn admit_full(diagnostics: &mut Diagnostics<'_>, text: &str, host: &str) -> bool {
    let message = if !host.contains(['.', '*', ':']) {
        (
            "short names have no namespace to complete them here",
            "write the whole name, with its dots",
        )
    } else if is_partial_wildcard(host) {
        (
            "a wildcard must replace whole labels",
            "write `*.` before the dot",
        )
    } else {
        return true;
    };
    diagnostics.error("", text, message);
    false
}

/// Whether a wildcard does not stand for whole labels: `*foo.com` also means `barfoo.com`.
fn is_partial_wildcard(text: &str) -> bool {
    text.strip_prefix('*')
        .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('.'))
}

/// Warns where a wildcard does not stand for whole labels: `*foo.com` also means `barfoo.com`.
pub(super) fn warn_of_partial_wildcard(diagnostics: &mut Diagnostics<'_>, text: &str) {
    if is_partial_wildcard(text) {
        diagnostics.warn(
            "",
            text,
            (
                "a partial wildcard, which matches inside of a label",
                "write `*.` for whole labels",
            ),
        );
    }
}
