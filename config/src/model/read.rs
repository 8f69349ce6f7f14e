//! What every kind needs in order to read its wire type: ports, durations, hosts, labels, visibility, destinations.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::host;
use crate::host::HostPattern;
use crate::labels::Labels;
use crate::model::destination::Destination;
use crate::model::host_name;
use crate::model::meta::ExportTo;
use crate::problem::{Diagnostics, NO_VALUE};
use crate::value;
use crate::wire;

/// A text, or `None` when it is empty, which means unset in protobuf.
pub(super) fn optional(text: &str) -> Option<Arc<str>> {
    (!text.is_empty()).then(|| text.into())
}

/// A port number from 1 to 65535.
pub(super) fn port(diagnostics: &mut Diagnostics<'_>, part: &str, number: u32) -> Option<u16> {
    match u16::try_from(number) {
        Ok(number) if number > 0 => Some(number),
        _ => {
            diagnostics.error(part, number, "expected a port from 1 to 65535");
            None
        }
    }
}

/// A port number, or `None` for 0, which means unset.
pub(super) fn optional_port(
    diagnostics: &mut Diagnostics<'_>,
    part: &str,
    number: u32,
) -> Option<u16> {
    if number == 0 {
        return None;
    }
    port(diagnostics, part, number)
}

/// A duration; zero is allowed.
pub(super) fn duration(
    diagnostics: &mut Diagnostics<'_>,
    part: &str,
    text: Option<&String>,
) -> Option<Duration> {
    let text = text?;
    let duration = value::duration(text);
    match duration {
        None => diagnostics.error(part, text, "expected a duration such as `1.5s` or `1h30m`"),
        Some(time) if time.subsec_nanos() % 1_000_000 != 0 => {
            diagnostics.error(part, text, "durations have whole milliseconds");
        }
        Some(_) => {}
    }
    duration
}

/// A time limit, where 0s means that there is none. Istio's admission refuses it.
pub(super) fn time_limit(
    diagnostics: &mut Diagnostics<'_>,
    part: &str,
    text: Option<&String>,
) -> Option<Duration> {
    let limit = duration(diagnostics, part, text)?;
    if limit.is_zero() {
        let message = (
            "taken as no limit, but Istio's admission refuses it",
            "leave it out",
        );
        diagnostics.warn(part, text?, message);
        return None;
    }
    Some(limit)
}

/// A duration of at least 1 ms.
pub(super) fn positive_duration(
    diagnostics: &mut Diagnostics<'_>,
    part: &str,
    text: Option<&String>,
) -> Option<Duration> {
    let duration = duration(diagnostics, part, text)?;
    if duration < Duration::from_millis(1) {
        diagnostics.error(part, text?, "expected a duration of at least 1ms");
        return None;
    }
    Some(duration)
}

/// A limit that protobuf writes as a signed number, where 0 means unset.
pub(super) fn limit(diagnostics: &mut Diagnostics<'_>, part: &str, number: i32) -> Option<u32> {
    match u32::try_from(number) {
        Ok(0) => None,
        Ok(limit) => Some(limit),
        Err(_) => {
            diagnostics.error(part, number, "must not be negative");
            None
        }
    }
}

/// A percentage in millionths: none at all, or at least one.
pub(super) fn share(diagnostics: &mut Diagnostics<'_>, part: &str, percent: f64) -> u32 {
    if percent > 0.0 && percent < 0.0001 {
        diagnostics.error(
            part,
            percent,
            "expected 0, or a percentage from 0.0001 to 100",
        );
        return 0;
    }
    millionths(diagnostics, part, percent)
}

/// A percentage in millionths.
pub(super) fn millionths(diagnostics: &mut Diagnostics<'_>, part: &str, percent: f64) -> u32 {
    if !(0.0..=100.0).contains(&percent) {
        diagnostics.error(part, percent, "expected a percentage from 0 to 100");
        return 0;
    }
    // At most 1,000,000 by the check above.
    (percent * 10_000.0).round() as u32
}

/// The value that an enumeration has for a text; empty gives the first.
pub(super) fn choice<T: Copy>(text: &str, choices: &[(&str, T)]) -> Option<T> {
    let choice = match text {
        "" => choices.first(),
        _ => choices.iter().find(|(name, _)| *name == text),
    };
    choice.map(|(_, value)| *value)
}

/// The names of an enumeration's values, separated by commas.
pub(super) fn names<T>(choices: &[(&str, T)]) -> String {
    let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

/// One of the values of an enumeration; empty gives the first.
pub(super) fn enum_value<T: Copy>(
    diagnostics: &mut Diagnostics<'_>,
    part: &str,
    text: &str,
    choices: &[(&str, T)],
) -> Option<T> {
    let value = choice(text, choices);
    if value.is_none() {
        diagnostics.error(part, text, format!("expected one of {}", names(choices)));
    }
    value
}

/// An address.
pub(super) fn address(diagnostics: &mut Diagnostics<'_>, part: &str, text: &str) -> Option<IpAddr> {
    let address = text.parse().ok();
    if address.is_none() {
        diagnostics.error(part, text, "expected an IP address");
    }
    address
}

/// Whether a text can be the path of a socket: absolute, or an abstract name after `@`.
pub(super) fn is_socket(path: &str) -> bool {
    path.starts_with('@') || path.starts_with('/') && !path.ends_with('/')
}

/// The `address` of a workload that is a Unix socket, `unix://PATH`: it needs a path, and has no `ports`.
pub(super) fn socket(diagnostics: &mut Diagnostics<'_>, text: &str, path: &str, ports: bool) {
    if !is_socket(path) {
        diagnostics.error(
            "address",
            text,
            "expected an absolute path, as unix:///run/name.sock",
        );
    }
    if ports {
        diagnostics.error(
            "ports",
            NO_VALUE,
            ("a unix socket has no ports", "leave them out"),
        );
    }
}

/// A range of addresses, or one address as a range of one.
pub(super) fn subnet(diagnostics: &mut Diagnostics<'_>, text: &str) -> Option<IpNet> {
    let subnet = match text.parse::<IpAddr>() {
        Ok(address) => Some(IpNet::from(address)),
        Err(_) => text.parse().ok(),
    };
    if subnet.is_none() {
        diagnostics.error(
            "",
            text,
            "expected an address such as 10.0.0.1 or a range such as 10.0.0.0/8",
        );
    }
    subnet
}

/// Ranges of addresses.
pub(super) fn subnets(
    diagnostics: &mut Diagnostics<'_>,
    part: &str,
    texts: &[String],
) -> Vec<IpNet> {
    diagnostics.each(part, texts, |diagnostics, text| subnet(diagnostics, text))
}

/// Labels as they are.
pub(super) fn labels(labels: &BTreeMap<String, String>) -> Labels {
    labels
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect()
}

/// Labels that Kubernetes can have: keys with an optional prefix, values of letters, digits, `-`, `_` and `.`.
pub(super) fn checked_labels(
    diagnostics: &mut Diagnostics<'_>,
    part: &str,
    labels: &BTreeMap<String, String>,
) -> Labels {
    for (key, value) in labels {
        let (prefix, name) = key.split_once('/').unwrap_or(("a", key));
        let prefixed = prefix.len() <= 253 && prefix.split('.').all(host_name::is_label);
        if !prefixed || name.is_empty() || !is_label_value(name) {
            diagnostics.error(part, key, "not a valid key of a label: expected letters, digits, `-`, `_` and `.`, perhaps after `prefix/`");
        }
        if !is_label_value(value) {
            let message = "not a valid value of a label: expected at most 63 letters, digits, `-`, `_` and `.`";
            diagnostics.error(part, format_args!("{key}={value}"), message);
        }
    }
    self::labels(labels)
}

fn is_label_value(text: &str) -> bool {
    let bytes = text.as_bytes();
    let alphanumeric = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_alphanumeric);
    bytes.len() <= 63
        && alphanumeric(bytes.first())
        && alphanumeric(bytes.last())
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

/// Labels that select; wildcards mean nothing there.
pub(super) fn selector(
    diagnostics: &mut Diagnostics<'_>,
    part: &str,
    labels: &BTreeMap<String, String>,
) -> Labels {
    for (key, value) in labels {
        if key.is_empty() || key.contains('*') || value.contains('*') {
            diagnostics.error(
                part,
                format_args!("{key}={value}"),
                "a selector has no wildcards and no empty keys",
            );
        }
    }
    self::labels(labels)
}

/// `exportTo`; `None` when it is not written.
///
/// With `nobody`, the kind allows `~`.
pub(super) fn export_to(
    diagnostics: &mut Diagnostics<'_>,
    list: &[String],
    namespace: &str,
    nobody: bool,
) -> Option<ExportTo> {
    if list.is_empty() {
        return None;
    }
    let names = diagnostics.each("exportTo", list, |diagnostics, text| match text.as_str() {
        "." => Some(Arc::from(namespace)),
        "*" => Some(Arc::from("*")),
        "~" if nobody => Some(Arc::from("~")),
        name if host_name::is_label(name) => Some(Arc::from(name)),
        other => {
            diagnostics.error("", other, "expected `*`, `.` or the name of a namespace");
            None
        }
    });
    for (at, name) in names.iter().enumerate() {
        if names[..at].contains(name) {
            diagnostics.error(
                "exportTo",
                name,
                "this namespace is listed twice (`.` is the object's own)",
            );
        }
    }
    let alone = |word: &str| names.iter().any(|name| &**name == word);
    match (alone("*"), alone("~")) {
        (false, false) => Some(ExportTo::Namespaces(names)),
        _ if names.len() > 1 => {
            diagnostics.error("exportTo", list.join(", "), "`*` and `~` stand alone");
            None
        }
        (true, _) => Some(ExportTo::All),
        (_, true) => Some(ExportTo::Nobody),
    }
}

/// A destination, with its short name completed.
pub(super) fn destination(
    diagnostics: &mut Diagnostics<'_>,
    part: &str,
    destination: Option<&wire::shared::Destination>,
    namespace: &str,
) -> Option<Destination> {
    let Some(destination) = destination else {
        diagnostics.error(part, NO_VALUE, "a destination is required");
        return None;
    };
    diagnostics.within(part, |diagnostics| {
        let host = destination.host.as_str();
        let reason = match host {
            "*" => Some("a destination cannot be `*`"),
            host => host_name::problem_of_pattern(host),
        };
        if let Some(reason) = reason {
            diagnostics.error("host", host, reason);
        }
        if !destination.subset.is_empty() && !host_name::is_label(&destination.subset) {
            diagnostics.error(
                "subset",
                &destination.subset,
                "not a valid name of a subset",
            );
        }
        let number = destination.port.as_ref().map(|port| port.number);
        Some(Destination {
            host: host::complete(host, namespace),
            subset: optional(&destination.subset),
            port: number.and_then(|number| port(diagnostics, "port.number", number)),
        })
    })
}

/// A pattern, completed when it is a short name.
pub(super) fn completed(host: &str, namespace: &str) -> HostPattern {
    HostPattern::parse(&host::complete(host, namespace))
}
