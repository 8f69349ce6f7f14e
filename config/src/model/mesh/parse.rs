//! MeshConfig, read. A setting that cannot be understood keeps its default, so that a mistake in one does not undo all.

use std::sync::Arc;
use std::time::Duration;

use crate::model::mesh::settings::{AccessLogEncoding, Mesh};
use crate::model::mesh::{formats, provider_parse, proxy_headers, tracing, unused_fields};
use crate::model::meta::{ExportTo, Meta};
use crate::model::outbound_policy::OutboundPolicy;
use crate::model::policy::{connection_pool, localities, traffic_policy};
use crate::model::route::retries;
use crate::model::sidecar::EgressPort;
use crate::model::{host_name, read, tls};
use crate::port::Protocol;
use crate::problem::{Diagnostics, NO_VALUE};
use crate::value::path::PathNormalization;
use crate::wire::mesh_config::MeshConfig as Wire;

/// As Istio bounds it.
const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(3600);

/// Reads a MeshConfig over Istio's defaults.
pub(crate) fn parse(wire: &Wire, meta: &Arc<Meta>, diagnostics: &mut Diagnostics<'_>) -> Mesh {
    let mut mesh = Mesh {
        meta: Some(Arc::clone(meta)),
        ..Mesh::default()
    };
    if let Some(policy) = &wire.outbound_traffic_policy {
        // A policy that is written replaces the default whole: without a mode it is the first of the enumeration, as in a
        // Sidecar.
        let modes = [
            ("REGISTRY_ONLY", OutboundPolicy::RegistryOnly),
            ("ALLOW_ANY", OutboundPolicy::AllowAny),
            ("ALLOW_ANY_DYNAMIC_DNS", OutboundPolicy::AllowAnyDynamicDns),
        ];
        let mode = read::enum_value(
            diagnostics,
            "outboundTrafficPolicy.mode",
            &policy.mode,
            &modes,
        );
        // A misspelt value gets the closed policy, which is the safe one.
        mesh.outbound_policy = mode.unwrap_or(OutboundPolicy::RegistryOnly);
    }
    let encodings = [
        ("TEXT", AccessLogEncoding::Text),
        ("JSON", AccessLogEncoding::Json),
    ];
    if let Some(encoding) = read::enum_value(
        diagnostics,
        "accessLogEncoding",
        &wire.access_log_encoding,
        &encodings,
    ) {
        mesh.access_log_encoding = encoding;
    }
    mesh.access_log_file = wire.access_log_file.as_str().into();
    mesh.access_log_format = wire.access_log_format.as_str().into();
    mesh.log_format = formats::of_mesh(
        mesh.access_log_encoding,
        &wire.access_log_format,
        diagnostics,
    );
    mesh.extension_providers = provider_parse::providers(&wire.extension_providers, diagnostics);
    mesh.default_providers = provider_parse::defaults(wire.default_providers.as_ref());
    mesh.tracing = tracing::parse(wire, diagnostics);
    // 0s means no limit in Istio; egret always has one.
    mesh.detection_timeout = read::duration(
        diagnostics,
        "protocolDetectionTimeout",
        wire.protocol_detection_timeout.as_ref(),
    )
    .filter(|time| !time.is_zero());
    if let Some(timeout) =
        read::positive_duration(diagnostics, "connectTimeout", wire.connect_timeout.as_ref())
    {
        if timeout > CONNECT_TIMEOUT_MAX {
            let text = wire.connect_timeout.as_deref().unwrap_or_default();
            diagnostics.error("connectTimeout", text, "expected a duration from 1ms to 1h");
        } else {
            mesh.connect_timeout = timeout;
        }
    }
    if let Some(rate) = read::positive_duration(
        diagnostics,
        "dnsRefreshRate",
        wire.dns_refresh_rate.as_ref(),
    ) {
        mesh.dns_refresh_rate = rate;
    }
    if let Some(root) = read::optional(&wire.root_namespace) {
        mesh.root_namespace = root;
    }
    for (part, list, target) in [
        (
            "defaultServiceExportTo",
            &wire.default_service_export_to,
            &mut mesh.service_export_to,
        ),
        (
            "defaultVirtualServiceExportTo",
            &wire.default_virtual_service_export_to,
            &mut mesh.virtual_service_export_to,
        ),
        (
            "defaultDestinationRuleExportTo",
            &wire.default_destination_rule_export_to,
            &mut mesh.destination_rule_export_to,
        ),
    ] {
        if let Some(export_to) = export_to(diagnostics, part, list) {
            *target = export_to;
        }
    }
    mesh.retries = wire.default_http_retry_policy.as_ref().map(|wire| {
        diagnostics.within("defaultHttpRetryPolicy", |diagnostics| {
            retries::parse(wire, diagnostics)
        })
    });
    let root = Arc::clone(&mesh.root_namespace);
    mesh.traffic_policy = wire
        .default_traffic_policy
        .as_ref()
        .and_then(|wire| traffic_policy::mesh(wire, &root, diagnostics));
    if let Some(normalization) = &wire.path_normalization {
        let modes = [
            ("DEFAULT", PathNormalization::Base),
            ("NONE", PathNormalization::None),
            ("BASE", PathNormalization::Base),
            ("MERGE_SLASHES", PathNormalization::MergeSlashes),
            (
                "DECODE_AND_MERGE_SLASHES",
                PathNormalization::DecodeAndMergeSlashes,
            ),
        ];
        let part = "pathNormalization.normalization";
        let mode = read::enum_value(diagnostics, part, &normalization.normalization, &modes);
        mesh.path_normalization = mode.unwrap_or_default();
    }
    mesh.keepalive = connection_pool::keepalive(wire.tcp_keepalive.as_ref(), diagnostics);
    if let Some(wire) = &wire.tls_defaults {
        mesh.tls_defaults = diagnostics.within("tlsDefaults", |diagnostics| {
            tls::defaults::parse(wire, diagnostics)
        });
    }
    mesh.http_proxy =
        read::optional_port(diagnostics, "proxyHttpPort", wire.proxy_http_port).map(|number| {
            EgressPort {
                number,
                protocol: Protocol::Http,
                name: "http_proxy".into(),
                proxies: true,
            }
        });
    unused_fields::check(wire, diagnostics);
    let policies = [("DO_NOT_UPGRADE", false), ("UPGRADE", true)];
    mesh.h2_upgrade = read::enum_value(
        diagnostics,
        "h2UpgradePolicy",
        &wire.h2_upgrade_policy,
        &policies,
    )
    .unwrap_or_default();
    if wire.zone_aware_lb_setting.is_some() && wire.locality_lb_setting.is_some() {
        let message = ("contradicts localityLbSetting", "leave one of them out");
        diagnostics.error("zoneAwareLbSetting", NO_VALUE, message);
    }
    if let Some(setting) = diagnostics.within("localityLbSetting", |diagnostics| {
        localities::parse(wire.locality_lb_setting.as_ref(), diagnostics)
    }) {
        mesh.locality = setting;
    }
    let config = wire.default_config.as_ref();
    if let Some(topology) = config.and_then(|config| config.gateway_topology.as_ref()) {
        mesh.topology = diagnostics.within("defaultConfig.gatewayTopology", |diagnostics| {
            proxy_headers::topology(topology, diagnostics)
        });
    }
    if let Some(headers) = config.and_then(|config| config.proxy_headers.as_ref()) {
        mesh.proxy_headers = diagnostics.within("defaultConfig.proxyHeaders", |diagnostics| {
            proxy_headers::parse(headers, diagnostics)
        });
    }
    let drain = config.and_then(|config| config.termination_drain_duration.as_ref());
    mesh.termination_drain =
        read::duration(diagnostics, "defaultConfig.terminationDrainDuration", drain);
    mesh
}

/// A default `exportTo`. `.` means the namespace of each object, so it stays a `.`.
fn export_to(diagnostics: &mut Diagnostics<'_>, part: &str, list: &[String]) -> Option<ExportTo> {
    match list {
        [] => None,
        [only] if only == "*" => Some(ExportTo::All),
        [only] if only == "~" => Some(ExportTo::Nobody),
        names => {
            for name in names
                .iter()
                .filter(|name| *name != "." && !host_name::is_label(name))
            {
                diagnostics.error(
                    part,
                    name,
                    "expected `.`, the name of a namespace, or `*` or `~` alone",
                );
            }
            Some(ExportTo::Namespaces(
                names.iter().map(|name| name.as_str().into()).collect(),
            ))
        }
    }
}
