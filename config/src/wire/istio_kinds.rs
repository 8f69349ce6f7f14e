//! The kinds that Istio has, read or not: what a document with a misspelt kind or group may mean.

use super::reading::{distance, nearest};

/// Why a document has no body that egret reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoBody {
    /// Another API's kind, or one that egret does not use.
    UnknownKind,
    /// A kind of another group; the apiVersion to write.
    OtherGroup(&'static str),
    /// A known kind at a version that was never served; what to write instead.
    UnknownVersion(&'static str),
    /// A group of Istio's that has no such kind, and the kind that may be meant.
    UnknownIstioKind(Option<String>),
    /// What istioctl installs Istio from; it may carry a MeshConfig.
    IstioOperator,
}

/// Istio's groups, each with the apiVersion to write and its kinds.
const GROUPS: &[(&str, &str, &[&str])] = &[
    (
        "networking.istio.io",
        "networking.istio.io/v1",
        &[
            "ServiceEntry",
            "WorkloadEntry",
            "WorkloadGroup",
            "VirtualService",
            "DestinationRule",
            "Gateway",
            "Sidecar",
            "EnvoyFilter",
            "ProxyConfig",
        ],
    ),
    (
        "security.istio.io",
        "security.istio.io/v1",
        &[
            "AuthorizationPolicy",
            "PeerAuthentication",
            "RequestAuthentication",
        ],
    ),
    (
        "telemetry.istio.io",
        "telemetry.istio.io/v1",
        &["Telemetry"],
    ),
    (
        "extensions.istio.io",
        "extensions.istio.io/v1alpha1",
        &["WasmPlugin", "TrafficExtension"],
    ),
    (INSTALL, "install.istio.io/v1alpha1", &["IstioOperator"]),
];

/// The group of what istioctl installs Istio from.
const INSTALL: &str = "install.istio.io";

/// Letters that a group may be away from one of Istio's to be a typing error.
const SLIP_MAX: usize = 2;

/// Why a document of a kind that egret does not read has no body.
pub(crate) fn unread(api_version: &str, kind: &str) -> NoBody {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let own = GROUPS.iter().find(|(name, ..)| *name == group);
    let home = GROUPS.iter().find(|(.., kinds)| kinds.contains(&kind));
    match (own, home) {
        (Some(own), Some(home)) if own == home => match group {
            INSTALL => NoBody::IstioOperator,
            _ => NoBody::UnknownKind,
        },
        (Some(_), Some((_, right, _))) => NoBody::OtherGroup(right),
        (Some(_), None) => NoBody::UnknownIstioKind(similar(kind)),
        (None, Some((_, right, _))) if group.is_empty() || is_slip(group) => {
            NoBody::OtherGroup(right)
        }
        (None, None) if is_slip(group) => NoBody::UnknownIstioKind(similar(kind)),
        (None, _) => NoBody::UnknownKind,
    }
}

fn similar(kind: &str) -> Option<String> {
    let kinds: Vec<&[&'static str]> = GROUPS.iter().map(|(.., kinds)| *kinds).collect();
    nearest(kind, &kinds)
}

/// Whether an unknown group is nearly one of Istio's.
fn is_slip(group: &str) -> bool {
    group.contains("istio")
        || (group.len() < 64
            && GROUPS
                .iter()
                .any(|(name, ..)| distance(group, name) <= SLIP_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_kinds_differ_from_foreign_ones() {
        let misspelt = |meant: &str| NoBody::UnknownIstioKind(Some(meant.to_owned()));
        for (api_version, kind, expected) in [
            (
                "networking.istio.io/v1",
                "ServiceEntri",
                misspelt("ServiceEntry"),
            ),
            (
                "networking.istio.io/v1",
                "virtualservice",
                misspelt("VirtualService"),
            ),
            (
                "networking.istio.io/v1",
                "Marvel",
                NoBody::UnknownIstioKind(None),
            ),
            ("networking.istio.io/v1", "EnvoyFilter", NoBody::UnknownKind),
            (
                "networking.istio.io/v1",
                "AuthorizationPolicy",
                NoBody::OtherGroup("security.istio.io/v1"),
            ),
            (
                "v1",
                "ServiceEntry",
                NoBody::OtherGroup("networking.istio.io/v1"),
            ),
            (
                "v1",
                "Gateway",
                NoBody::OtherGroup("networking.istio.io/v1"),
            ),
            (
                "networking.istio.io",
                "Sidecar",
                NoBody::OtherGroup("networking.istio.io/v1"),
            ),
            (
                "networking.isto.io/v1",
                "ServiceEntry",
                NoBody::OtherGroup("networking.istio.io/v1"),
            ),
            (
                "gateway.networking.k8s.io/v1",
                "Gateway",
                NoBody::UnknownKind,
            ),
            ("networking.k8s.io/v1", "NetworkPolicy", NoBody::UnknownKind),
            ("example.com/v1", "ServiceEntri", NoBody::UnknownKind),
            ("v1", "Namespace", NoBody::UnknownKind),
            ("apps/v1", "Deployment", NoBody::UnknownKind),
            (
                "install.istio.io/v1alpha1",
                "IstioOperator",
                NoBody::IstioOperator,
            ),
        ] {
            assert_eq!(unread(api_version, kind), expected, "{api_version} {kind}");
        }
    }
}
