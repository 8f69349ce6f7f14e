use egret_config::load::{Text, load};
use egret_config::snapshot::workload::{Mode, Workload};

use super::*;
use crate::dns::lookup::{Lookup, Reason, Unresolved};
use crate::dns::names::Names;

const WORLD: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: bank, namespace: shop}
spec:
  hosts: [bank.example]
  addresses: [192.0.2.1]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 198.51.100.1}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: bank, namespace: shop}
spec:
  hosts: [bank.example]
  http:
  - {name: beta, match: [{uri: {prefix: '/a&b'}, headers: {x-who: {exact: 'me&you'}}}], directResponse: {status: 418}}
  - {name: rest, route: [{destination: {host: bank.example}}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: named, namespace: shop}
spec:
  hosts: [named.example]
  addresses: [192.0.2.2]
  ports: [{number: 80, name: http, protocol: HTTP}, {number: 90, name: tcp, protocol: TCP}]
  resolution: DNS
";

fn explained(query: &str, output: Output) -> Result<String, String> {
    explained_with(&|_| None, query, output)
}

fn explained_with(
    names: &dyn Fn(&str) -> Option<NameFacts>,
    query: &str,
    output: Output,
) -> Result<String, String> {
    let text = Text {
        file: "a.yaml".into(),
        bytes: WORLD.into(),
    };
    let mesh = Text {
        file: "mesh.yaml".into(),
        bytes: "outboundTrafficPolicy: {mode: REGISTRY_ONLY}".into(),
    };
    let (objects, problems) = load(&[text], Some(&mesh));
    assert_eq!(problems, []);
    let workload = Workload {
        dns_capture: true,
        ..Workload::new(Mode::Sidecar, "shop")
    };
    let (snapshot, _) = Snapshot::build(&objects, workload);
    explain(&snapshot, names, query, output, &[]).map_err(|wrong| wrong.to_string())
}

#[test]
fn a_query_describes_a_call() {
    let http = "protocol=http&host=bank.example";
    for (query, beginning) in [
        (
            format!("to=192.0.2.1:80&{http}"),
            "route: GET bank.example/ by http to 192.0.2.1:80 goes to outbound|80||bank.example",
        ),
        (
            format!("to=bank.example:80&{http}"),
            "route: GET bank.example/ by http to 192.0.2.1:80 goes to outbound|80||bank.example",
        ),
        (
            format!("to=192.0.2.1:80&{http}&path=/a%26b&header=x-who:%20me%26you&method=POST"),
            "direct_response 418: POST bank.example/a&b by http",
        ),
        (
            "to=203.0.113.9:443&protocol=tls&sni=other.example".to_owned(),
            "blackhole UH: tls to 203.0.113.9:443 with SNI other.example is refused",
        ),
    ] {
        let text = explained(&query, Output::Text).expect(&query);
        assert!(text.starts_with(beginning), "{query}: {text}");
        let json: Value =
            serde_json::from_str(&explained(&query, Output::Json).expect(&query)).expect("JSON");
        let verdict = beginning.split([':', ' ']).next();
        assert_eq!(json["verdict"].as_str(), verdict, "{query}");
        assert!(
            json["trail"]
                .as_array()
                .is_some_and(|trail| !trail.is_empty())
        );
    }
}

#[test]
fn a_query_that_is_no_call_is_refused_with_the_reason() {
    for (query, message) in [
        ("", "`to` is required"),
        ("to=1.2.3.4:80", "`protocol` is required"),
        ("to=1.2.3.4&protocol=tcp", "is not IP:PORT"),
        ("to=1.2.3.4:80&protocol=quic", "is none of http"),
        ("to=who.example:80&protocol=tcp", "has no address here"),
        (
            "to=1.2.3.4:80&protocol=tcp&hots=a",
            "unknown in the query: hots",
        ),
        (
            "to=1.2.3.4:80&protocol=http&header=nocolon",
            "is not `name: value`",
        ),
    ] {
        let wrong = explained(query, Output::Text).expect_err(query);
        assert!(wrong.contains(message), "{query}: {wrong}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_current_addresses_of_a_name_are_explained() {
    let works = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let working = works.clone();
    let names = Names::new(tokio::runtime::Handle::current(), move |name| {
        let outcome = match working.load(std::sync::atomic::Ordering::Relaxed) {
            true => Ok(Lookup {
                addresses: vec![[10, 0, 0, 1].into()],
                ttl: std::time::Duration::from_secs(30),
            }),
            false => Err(Unresolved::new(
                &name,
                Reason::NoAnswer,
                "no answer from 10.0.0.53",
            )),
        };
        Box::pin(async move { outcome })
    });
    let http = "to=192.0.2.2:80&protocol=http&host=named.example";
    let tcp = "to=192.0.2.2:90&protocol=tcp";
    let text = |query| explained_with(&|name| names.facts(name), query, Output::Text).expect(query);
    assert!(
        text(http).contains("`named.example` was not resolved yet"),
        "{}",
        text(http)
    );

    names
        .addresses("named.example")
        .await
        .expect_err("no server");
    for (query, beginning) in [(http, "route 503 UH: "), (tcp, "route UH: ")] {
        let text = text(query);
        assert!(text.starts_with(beginning), "{text}");
        assert!(
            text.contains("no answer from 10.0.0.53 (timeout, 0 s ago"),
            "{text}"
        );
    }

    works.store(true, std::sync::atomic::Ordering::Relaxed);
    tokio::time::advance(std::time::Duration::from_secs(2)).await;
    names.addresses("named.example").await.expect("an address");
    let text = text(http);
    assert!(text.starts_with("route: "), "{text}");
    assert!(
        text.contains("`named.example` has address 10.0.0.1"),
        "{text}"
    );
}
