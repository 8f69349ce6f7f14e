//! Wildcard egress: what a call names is resolved for it, as far as the wildcard allows.

use egret_tests::certs::NOW;
use egret_tests::client::curl;
use egret_tests::egret::Settings;
use egret_tests::folder::{Folder, fixture};
use egret_tests::origin::{at_once, text};
use egret_tests::places::{EGRESS_GATEWAY, ELSEWHERE, Family, Located, SLEEP, Site};
use egret_tests::topology::World;
use hyper::StatusCode;

use crate::helpers::stage;
use crate::helpers::stage::{REGISTRY_ONLY, field};

const DYNAMIC: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: wild}
spec:
  hosts: ['*.wild.example']
  ports:
  - {number: 80, name: http, protocol: HTTP}
  - {number: 443, name: tls, protocol: TLS}
  resolution: DYNAMIC_DNS
";

const BY_GATEWAY: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: wild, namespace: istio-system}
spec:
  hosts: ['*.wild.example']
  ports:
  - {number: 80, name: http, protocol: HTTP}
  - {number: 443, name: tls, protocol: TLS}
  resolution: NONE
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: egress, namespace: istio-system}
spec:
  selector: {istio: egressgateway}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: ['*']
  - port: {number: 443, name: tls, protocol: TLS}
    hosts: ['*.wild.example']
    tls: {mode: PASSTHROUGH}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: wild, namespace: istio-system}
spec:
  hosts: ['*.wild.example']
  gateways: [egress]
  http:
  - route:
    - destination: {host: '*.wild.example', port: {number: 80}}
  tls:
  - match: [{port: 443, sniHosts: ['*.wild.example']}]
    route:
    - destination: {host: '*.wild.example', port: {number: 443}}
";

/// A name below the wildcard, and where it is.
const WILD: Site = Site {
    name: "a.wild.example",
    number: 20,
};
/// Where the caller believes it to be.
const DIALLED: Site = Site {
    name: "dialled",
    number: 21,
};

/// Serves the wild name; whoever calls it must have resolved it.
fn world(name: &str) -> anyhow::Result<(World, [egret_tests::origin::Origin; 2])> {
    let world = World::new(name, Family::V4)?;
    world.resolve(WILD.name, &[WILD.v4()]);
    let page = at_once(|_| text(StatusCode::OK, "page\n"));
    let http = world.http(WILD, 80, &page)?;
    let https = world.https(WILD, world.authority.server(&[WILD.name])?, &page)?;
    Ok((world, [http, https]))
}

/// Makes curl dial `at` for a name.
fn at(name: &str, port: u16, at: &impl Located) -> String {
    format!("{name}:{port}:{}", at.v4())
}

#[test]
fn a_sidecar_resolves_the_host_and_the_sni() -> anyhow::Result<()> {
    let (world, [http, https]) = world("wildcard-sidecar")?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered("wild.yaml", DYNAMIC)?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    for (port, url) in [
        (80, "http://a.wild.example/"),
        (443, "https://a.wild.example/"),
    ] {
        let answer = curl(&pod, &["--resolve", &at(WILD.name, port, &DIALLED), url])?;
        assert_eq!(answer.body, "page\n", "{answer:?}");
    }
    assert_eq!((http.requests.len(), https.requests.len()), (1, 1));
    let line = sidecar.await_access(|line| field(line, "authority") == WILD.name)?;
    assert_eq!(field(&line, "upstream_host"), "198.51.100.20:80");
    assert_eq!(
        field(&line, "upstream_cluster"),
        "outbound|80||*.wild.example"
    );

    let resolve = at("tame.example", 80, &WILD);
    let refused = curl(&pod, &["--resolve", &resolve, "http://tame.example/"])?;
    assert_eq!(refused.status, 502, "not one of the wildcard");
    let resolve = at("gone.wild.example", 80, &WILD);
    let gone = curl(&pod, &["--resolve", &resolve, "http://gone.wild.example/"])?;
    assert_eq!(gone.status, 503, "where the caller dials does not matter");
    let here = "127.0.0.1".parse()?;
    let secret = world.serve(&pod, &[here], 80, &at_once(|_| text(StatusCode::OK, "")))?;
    world.resolve("inner.wild.example", &[here]);
    let resolve = at("inner.wild.example", 80, &WILD);
    let inner = curl(&pod, &["--resolve", &resolve, "http://inner.wild.example/"])?;
    assert_eq!(inner.status, 503, "a name is no way into this machine");
    assert!(secret.connections.is_empty());
    assert_eq!(http.requests.len(), 1);
    Ok(())
}

/// A route from another name to the wildcard: what is resolved is the name of the call, and that one is not allowed.
const FROM_OUTSIDE: &str = "
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: outside}
spec:
  hosts: [outside.example]
  http: [{route: [{destination: {host: '*.wild.example', port: {number: 80}}}]}]
";

#[test]
fn a_route_widens_no_wildcard() -> anyhow::Result<()> {
    let (world, [http, _]) = world("wildcard-outside")?;
    world.resolve("outside.example", &[WILD.v4()]);
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered("wild.yaml", &(DYNAMIC.to_owned() + FROM_OUTSIDE))?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let answer = curl(&pod, &["http://outside.example/"])?;
    assert_eq!(answer.status, 503, "{answer:?}");
    let line = sidecar.await_access(|line| field(line, "authority") == "outside.example")?;
    assert_eq!(field(&line, "response_flags"), "UH", "{line:#}");
    assert_eq!(
        field(&line, "upstream_cluster"),
        "outbound|80||*.wild.example"
    );
    assert!(http.connections.is_empty());
    Ok(())
}

#[test]
fn one_answer_serves_many_calls() -> anyhow::Result<()> {
    let (world, [http, _]) = world("wildcard-cache")?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered("wild.yaml", DYNAMIC)?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let resolve = at(WILD.name, 80, &DIALLED);
    for _ in 0..5 {
        curl(&pod, &["--resolve", &resolve, "http://a.wild.example/"])?;
    }
    assert_eq!(http.requests.len(), 5);
    assert_eq!(world.names.questions(WILD.name), 2, "A and AAAA, once each");
    Ok(())
}

#[test]
fn a_gateway_resolves_what_its_wildcard_allows() -> anyhow::Result<()> {
    let (world, [http, https]) = world("wildcard-gateway")?;
    let pod = world.pod(SLEEP, "default")?;
    let gateway_pod = world.gateway_pod(EGRESS_GATEWAY)?;
    let config = stage::registered("wild.yaml", BY_GATEWAY)?;
    let gateway = Settings::gateway("istio=egressgateway")
        .pod_ip(EGRESS_GATEWAY.v4())
        .config(config.path())
        .start(&world, &gateway_pod)?;
    for (port, url) in [
        (80, "http://a.wild.example/"),
        (443, "https://a.wild.example/"),
    ] {
        let resolve = at(WILD.name, port, &EGRESS_GATEWAY);
        let answer = curl(&pod, &["--resolve", &resolve, url])?;
        let log = gateway.everything();
        assert_eq!(answer.body, "page\n", "{answer:?}\n{log}");
    }
    for origin in [&http, &https] {
        assert_eq!(origin.only_request()?.peer.ip(), EGRESS_GATEWAY.v4());
    }
    // A name that leads back to the gateway must not go round and round.
    world.resolve("loop.wild.example", &[EGRESS_GATEWAY.v4()]);
    let resolve = at("loop.wild.example", 80, &EGRESS_GATEWAY);
    let round = curl(&pod, &["--resolve", &resolve, "http://loop.wild.example/"])?;
    assert_eq!(round.status, 503, "{round:?}");
    Ok(())
}

/// What the sidecar sends to the gateway inside of another TLS, whose SNI is the gateway's own.
const WRAPPED: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: gateway}
spec:
  hosts: [gateway.example]
  ports: [{number: 8443, name: tls, protocol: TLS}]
  resolution: STATIC
  endpoints: [{address: GATEWAY}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: gateway}
spec:
  host: gateway.example
  trafficPolicy: {tls: {mode: SIMPLE, sni: gateway.example, caCertificates: ROOTS}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: wild}
spec:
  hosts: ['*.wild.example']
  tls:
  - match: [{port: 443, sniHosts: ['*.wild.example']}]
    route: [{destination: {host: gateway.example, port: {number: 8443}}}]
";

const UNWRAPPED: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: egress}
spec:
  selector: {istio: egressgateway}
  servers:
  - port: {number: 8443, name: tls, protocol: TLS}
    hosts: [gateway.example]
    tls: {mode: SIMPLE, serverCertificate: CHAIN, privateKey: KEY}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: wild}
spec:
  hosts: [gateway.example]
  gateways: [default/egress]
  tcp:
  - route: [{destination: {host: '*.wild.example', port: {number: 443}}}]
";

/// The mesh's TLS ends at the gateway, and the application's goes on: its SNI says where to.
#[test]
fn a_gateway_resolves_what_the_tls_inside_of_its_own_names() -> anyhow::Result<()> {
    let (world, [_, https]) = world("wildcard-inside")?;
    let pod = world.pod(SLEEP, "default")?;
    let gateway_pod = world.gateway_pod(EGRESS_GATEWAY)?;
    let keys = Folder::new()?;
    let pair = world.authority.pair(&["gateway.example"], NOW)?;
    let path = |name: &str| keys.path().join(name).display().to_string();
    keys.write("chain.pem", &pair.certificate)?;
    keys.write("key.pem", &pair.key)?;
    keys.write("roots.pem", world.authority.pem())?;

    let config = stage::registered("wild.yaml", DYNAMIC)?;
    let ends = UNWRAPPED.replace("CHAIN", &path("chain.pem"));
    config.write("gateway.yaml", &ends.replace("KEY", &path("key.pem")))?;
    let gateway = Settings::gateway("istio=egressgateway")
        .pod_ip(EGRESS_GATEWAY.v4())
        .config(config.path())
        .start(&world, &gateway_pod)?;
    let config = stage::registered("wild.yaml", DYNAMIC)?;
    let wraps = WRAPPED.replace("GATEWAY", &EGRESS_GATEWAY.v4().to_string());
    config.write(
        "to-gateway.yaml",
        &wraps.replace("ROOTS", &path("roots.pem")),
    )?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;

    let resolve = at(WILD.name, 443, &DIALLED);
    let answer = curl(&pod, &["--resolve", &resolve, "https://a.wild.example/"])?;
    assert_eq!(
        answer.body,
        "page\n",
        "{answer:?}\n{}",
        gateway.everything()
    );
    assert_eq!(https.only_request()?.peer.ip(), EGRESS_GATEWAY.v4());
    let line =
        gateway.await_access(|line| field(line, "requested_server_name") == "gateway.example")?;
    assert_eq!(
        field(&line, "upstream_cluster"),
        "outbound|443||*.wild.example"
    );
    Ok(())
}

#[test]
fn any_name_where_the_mesh_says_so() -> anyhow::Result<()> {
    let world = World::new("wildcard-any", Family::V4)?;
    let origin = world.http(ELSEWHERE, 8080, &at_once(|_| text(StatusCode::OK, "")))?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::new()?;
    let mesh = fixture(REGISTRY_ONLY)?.replace("REGISTRY_ONLY", "ALLOW_ANY_DYNAMIC_DNS");
    config.write("mesh.yaml", &mesh)?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let resolve = at(ELSEWHERE.name, 8080, &DIALLED);
    let answer = curl(
        &pod,
        &["--resolve", &resolve, "http://elsewhere.example:8080/"],
    )?;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(origin.only_request()?.local.ip(), ELSEWHERE.v4());
    Ok(())
}
