//! Complete configurations, as users publish them.

use super::*;

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/fixtures/", $name))
    };
}

const KUBERNETES: &str = fixture!("kubernetes/services.yaml");
const GATEWAY: &str = "istio-egressgateway.istio-system.svc.cluster.local";

#[test]
fn from_open_to_governed() {
    sidecar(ALLOW_ANY, KUBERNETES).check(
        "http 198.51.100.5:80 aliyun.com => pass
         tls 198.51.100.5:443 aliyun.com => pass",
    );
    sidecar(REGISTRY_ONLY, KUBERNETES).check("http 198.51.100.5:80 aliyun.com => 502");
    let entry = fixture!("open_to_governed/service-entry.yaml");
    let registered = documents(&[KUBERNETES, entry]);
    sidecar(REGISTRY_ONLY, &registered).check(
        "http 198.51.100.5:80 aliyun.com => outbound|80||aliyun.com
         http [2001:db8::5]:80 aliyun.com => outbound|80||aliyun.com
         http 198.51.100.5:80 httpbin.org => 502",
    );
    let all = documents(&[
        &registered,
        fixture!("open_to_governed/gateway.yaml"),
        fixture!("open_to_governed/virtual-service.yaml"),
    ]);
    sidecar(REGISTRY_ONLY, &all).check(&format!(
        "http 198.51.100.5:80 aliyun.com => outbound|80||{GATEWAY}"
    ));
    let gateway = gateway("egressgateway", &all);
    gateway.check(
        "http 10.34.0.141:80 aliyun.com => outbound|80||aliyun.com
         http 10.34.0.141:80 other.com => 404",
    );
    gateway.assert_problems(&[]);
    assert_eq!(
        gateway.snapshot.bound_ports(),
        [crate::snapshot::BoundPort {
            bind: None,
            port: 80
        }]
    );
}

#[test]
fn a_private_entry_behind_a_gateway_elsewhere() {
    let all = documents(&[
        KUBERNETES,
        fixture!("httpbin_private/service-entry.yaml"),
        fixture!("httpbin_private/gateway.yaml"),
        fixture!("httpbin_private/virtual-service.yaml"),
    ]);
    sidecar_in("egress", "", REGISTRY_ONLY, &all).check(&format!(
        "http 198.51.100.5:80 httpbin.com/get => outbound|80||{GATEWAY}"
    ));
    let gateway = gateway("egressgateway", &all);
    gateway.check("http 10.34.0.141:80 httpbin.com/get => outbound|80||httpbin.com");
    gateway.assert_problems(&[
        "no Gateway egress/istio-egressgateway exists; taken as istio-system/istio-egressgateway",
        "only namespace egress sees this host",
    ]);
}

#[test]
fn registration_and_tls_by_sni() {
    sidecar(ALLOW_ANY, KUBERNETES).check(
        "http 198.51.100.5:80 httpbin.org => pass
         tls 198.51.100.6:443 www.google.com => pass",
    );
    let all = documents(&[
        KUBERNETES,
        fixture!("google_by_sni/httpbin.yaml"),
        fixture!("google_by_sni/google.yaml"),
        fixture!("google_by_sni/google-virtual-service.yaml"),
    ]);
    sidecar(REGISTRY_ONLY, KUBERNETES).check(
        "http 198.51.100.5:80 httpbin.org => 502
         tls 198.51.100.6:443 www.google.com => blackhole",
    );
    sidecar(REGISTRY_ONLY, &all).check(
        "http 198.51.100.5:80 httpbin.org/headers => outbound|80||httpbin.org
         tls 198.51.100.6:443 www.google.com => outbound|443||www.google.com
         tls 198.51.100.6:443 www.example.com => blackhole
         tls 198.51.100.6:443 - => blackhole
         http 198.51.100.6:443 www.google.com => 502
         tcp 198.51.100.6:443 => blackhole",
    );
}

#[test]
fn gateways_in_both_directions() {
    let ingress = documents(&[KUBERNETES, fixture!("gateways_both_ways/ingress.yaml")]);
    gateway("ingressgateway", &ingress).check(
        "http 10.34.0.142:80 10.34.0.142/productpage => outbound|9080||productpage.default.svc.cluster.local
         http 10.34.0.142:80 10.34.0.142/ => 404",
    );
    for (entry, expected) in [
        (fixture!("gateways_both_ways/service-entry.yaml"), "Names"),
        (
            fixture!("gateways_both_ways/resolution-none.yaml"),
            "Original",
        ),
        (
            fixture!("gateways_both_ways/resolution-static.yaml"),
            "Members",
        ),
    ] {
        let entries = documents(&[KUBERNETES, entry]);
        let direct = sidecar(REGISTRY_ONLY, &entries);
        direct.check("http 198.51.100.5:80 httpbin.org/get => outbound|80||httpbin.org");
        let discovery = format!("{:?}", direct.cluster("outbound|80||httpbin.org").discovery);
        assert!(discovery.starts_with(expected), "{discovery}");
    }
    let egress = documents(&[
        KUBERNETES,
        fixture!("gateways_both_ways/service-entry.yaml"),
        fixture!("gateways_both_ways/egress-gateway.yaml"),
        fixture!("gateways_both_ways/egress-virtual-service.yaml"),
    ]);
    sidecar(REGISTRY_ONLY, &egress).check(&format!(
        "http 198.51.100.5:80 httpbin.org/get => outbound|80||{GATEWAY}
         http 198.51.100.5:80 httpbin.org/status/200 => outbound|80||{GATEWAY}"
    ));
    gateway("egressgateway", &egress).check(
        "http 10.34.0.141:80 httpbin.org/get => outbound|80||httpbin.org
         http 10.34.0.141:80 httpbin.org/status/200 => 404",
    );
}

#[test]
fn tls_from_the_gateway() {
    let first = documents(&[
        KUBERNETES,
        fixture!("tls_from_the_gateway/service-entry.yaml"),
        fixture!("tls_from_the_gateway/gateway.yaml"),
    ]);
    sidecar(REGISTRY_ONLY, &first)
        .check("http 198.51.100.5:80 edition.cnn.com/politics => outbound|80||edition.cnn.com");
    let empty = gateway("egressgateway", &first);
    empty.check("http 10.34.0.141:443 edition.cnn.com/politics => 404");
    let routes = empty.snapshot.routes();
    assert_eq!(routes.len(), 1);
    assert_eq!(routes[0].name, "http.443");
    assert_eq!(routes[0].virtual_hosts[0].name, "blackhole:443");
    assert_eq!(routes[0].virtual_hosts[0].domains, ["*"]);
    assert_eq!(routes[0].virtual_hosts[0].routes[0].action, "404");
    let all = documents(&[
        &first,
        fixture!("tls_from_the_gateway/gateway-subset.yaml"),
        fixture!("tls_from_the_gateway/virtual-service.yaml"),
        fixture!("tls_from_the_gateway/originate-tls.yaml"),
    ]);
    let pod = sidecar(REGISTRY_ONLY, &all);
    pod.check(&format!(
        "http 198.51.100.5:80 edition.cnn.com/politics => outbound|443|cnn|{GATEWAY}"
    ));
    let members = &pod
        .cluster(&format!("outbound|443|cnn|{GATEWAY}"))
        .discovery;
    assert!(
        format!("{members:?}").contains("10.34.0.141"),
        "{members:?}"
    );
    let egress = gateway("egressgateway", &all);
    egress.check("http 10.34.0.141:443 edition.cnn.com/politics => outbound|443||edition.cnn.com");
    let tls = |name: &str| egress.cluster(name).policy.tls.is_some();
    assert!(tls("outbound|443||edition.cnn.com"));
    assert!(!tls("outbound|80||edition.cnn.com"));
    egress.assert_problems(&[]);
}
