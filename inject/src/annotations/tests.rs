use serde_json::json;

use super::*;

fn read(name: &str, text: &str) -> (Annotations, Vec<String>) {
    let mut notices = Notices::default();
    let all = json!({ name: text });
    let read = Annotations::read(all.as_object(), &mut notices);
    let problems = notices.into_problems();
    (read, problems.iter().map(ToString::to_string).collect())
}

#[test]
fn a_wrong_value_is_named_with_what_is_expected() {
    for (name, value, expected) in [
        (
            "traffic.sidecar.istio.io/includeOutboundIPRanges",
            "10.0.0.0/33",
            "`10.0.0.0/33`",
        ),
        (
            "traffic.sidecar.istio.io/includeOutboundIPRanges",
            "10.0.0.0/8,*",
            "`*`",
        ),
        (
            "traffic.sidecar.istio.io/excludeOutboundIPRanges",
            "*",
            "excludes everything",
        ),
        (
            "traffic.sidecar.istio.io/excludeOutboundIPRanges",
            "10.0.0.1",
            "no prefix length",
        ),
        (
            "traffic.sidecar.istio.io/includeInboundPorts",
            "80,",
            "`` is no port",
        ),
        (
            "traffic.sidecar.istio.io/excludeInboundPorts",
            "http",
            "`http` is no port",
        ),
        (
            "traffic.sidecar.istio.io/includeOutboundPorts",
            "*",
            "`*` is no port",
        ),
        (
            "traffic.sidecar.istio.io/excludeOutboundPorts",
            "70000",
            "`70000` is no port",
        ),
        (
            "sidecar.istio.io/interceptionMode",
            "redirect",
            "expected REDIRECT",
        ),
        ("sidecar.istio.io/proxyCPU", "lots", "expected a quantity"),
        (
            "sidecar.istio.io/proxyMemory",
            "1GiB",
            "expected a quantity",
        ),
        ("sidecar.istio.io/logLevel", "loud", "`loud` is no level"),
        ("status.sidecar.istio.io/port", "-1", "expected a port"),
        (
            "readiness.status.sidecar.istio.io/periodSeconds",
            "2s",
            "expected a whole number",
        ),
        ("sidecar.istio.io/userVolume", "[]", "expected JSON"),
        (
            "sidecar.istio.io/nativeSidecar",
            "yes",
            "expected true or false",
        ),
        (
            "prometheus.istio.io/merge-metrics",
            "no",
            "expected true or false",
        ),
        (
            "inject.istio.io/templates",
            "grpc-agent",
            "expected sidecar, egret or gateway",
        ),
        ("proxy.istio.io/config", "a: [", "line"),
    ] {
        let (_, problems) = read(name, value);
        assert_eq!(problems.len(), 1, "{name}: {problems:?}");
        let expected_start = format!(": annotation {name}: ");
        assert!(problems[0].starts_with(&expected_start), "{problems:?}");
        assert!(problems[0].contains(expected), "{problems:?}");
    }
}

#[test]
fn right_values_are_kept_as_written() {
    let (all, problems) = read("traffic.sidecar.istio.io/excludeInboundPorts", " 80, 443");
    assert_eq!(
        (all.exclude_inbound_ports.as_deref(), problems),
        (Some(" 80, 443"), vec![])
    );
    let (all, problems) = read("traffic.sidecar.istio.io/includeOutboundIPRanges", "");
    assert_eq!(
        (all.include_outbound_ip_ranges.as_deref(), problems),
        (Some(""), vec![])
    );
    let (all, problems) = read("sidecar.istio.io/proxyCPU", "1e3");
    assert_eq!(
        (all.resources.cpu.as_deref(), problems),
        (Some("1e3"), vec![])
    );
    let (all, _) = read("traffic.sidecar.istio.io/kubevirtInterfaces", "net1");
    assert_eq!(all.virtual_interfaces.as_deref(), Some("net1"));
}

#[test]
fn what_has_no_effect_is_a_warning() {
    let (_, problems) = read("sidecar.istio.io/bootstrapOverride", "x");
    assert!(problems[0].contains("not used by egret"), "{problems:?}");
    let (_, problems) = read("sidecar.istio.io/proxyCpu", "1");
    assert!(problems[0].contains("no such annotation"), "{problems:?}");
    let (_, problems) = read("sidecar.istio.io/componentLogLevel", "misc:error");
    assert_eq!(problems, Vec::<String>::new());
    let (_, problems) = read("proxy.istio.io/config", "concurrency: 4\nimage: {}\n");
    assert_eq!(
        problems,
        [": annotation proxy.istio.io/config.image: not used by egret; remove it"]
    );
}

#[test]
fn the_finest_of_two_levels_wins() {
    for (one, other, expected) in [
        ("warning", "default:info", "info"),
        ("warning", "default:none", "warn"),
        ("critical", "all:off", "error"),
        ("trace", "default:info,ads:debug", "trace"),
        ("off", "default:none", "off"),
    ] {
        assert_eq!(finest_level(one, other), Ok(expected));
    }
}
