//! How the endpoints of a cluster are found.

use egret_config::snapshot::cluster::{Discovery, Member};

/// The type of discovery in the words of `istioctl proxy-config cluster`.
pub(super) fn kind(discovery: &Discovery) -> &'static str {
    match discovery {
        Discovery::Members(_) => "STATIC",
        Discovery::Names { single: false, .. } => "STRICT_DNS",
        Discovery::Names { single: true, .. } => "LOGICAL_DNS",
        Discovery::Original { .. } => "ORIGINAL_DST",
        Discovery::PerCall { .. } => "DYNAMIC_DNS",
    }
}

pub(super) fn members(discovery: &Discovery) -> &[Member] {
    match discovery {
        Discovery::Members(members) | Discovery::Names { members, .. } => members,
        Discovery::Original { .. } | Discovery::PerCall { .. } => &[],
    }
}
