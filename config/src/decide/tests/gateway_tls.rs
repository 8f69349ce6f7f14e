//! Gateways with TLS: ended and passed on by server name.

use super::*;
use crate::decide::call::Inside;
use crate::decide::tests::gateways::{SIMPLE, answers, gw, server, services};

#[test]
fn tls_is_ended_by_server_name() {
    let servers = server(443, "HTTPS", "a.test", SIMPLE)
        + &server(443, "HTTPS", "'*.b.test'", SIMPLE).replace("p443", "q443");
    let yaml = gw(&servers) + &answers("a", "a.test", "") + &answers("b", "'*.b.test'", "");
    let world = gateway("ingressgateway", &yaml);
    world.check(
        "https 10.34.0.141:443 a.test => respond 200 a
         https 10.34.0.141:443 x.b.test => respond 200 b
         https 10.34.0.141:443 other.test => no chain
         https 10.34.0.141:443 - => no chain
         http 10.34.0.141:443 a.test => no chain
         tcp 10.34.0.141:443 => no chain",
    );
    let names: Vec<_> = world
        .snapshot
        .routes()
        .into_iter()
        .map(|table| table.name)
        .collect();
    assert_eq!(
        names,
        [
            "https.443.p443.gw.istio-system",
            "https.443.q443.gw.istio-system"
        ]
    );
    // The Host is looked up in the table of the server that the SNI chose.
    let terminated = Terminated {
        server: Arc::new(gateway_server()),
        inside: Inside::Http("https.443.p443.gw.istio-system".into()),
        sni: Some("a.test".into()),
    };
    let call = parse("https 10.34.0.141:443 x.b.test");
    assert_eq!(
        world.request(&call, Some(&terminated), "https", &mut |_| 0),
        "404"
    );
}

fn gateway_server() -> crate::model::gateway::Server {
    crate::model::gateway::Server {
        port: 443,
        port_name: "p443".into(),
        protocol: crate::port::Protocol::Https,
        bind: None,
        hosts: Vec::new(),
        tls: crate::model::tls::ServerTlsMode::None,
        name: None,
    }
}

#[test]
fn tls_passes_by_server_name() {
    let vs = |name: &str, hosts: &str, sni: &str, port: u16| {
        object(
            "VirtualService",
            name,
            &format!(
                "{{hosts: [{hosts}], gateways: [istio-system/gw], tls: [{{match: [{{port: {port}, sniHosts: [{sni}]}}],
                   route: [{{destination: {{host: many.default.svc.cluster.local}}}}]}}]}}"
            ),
        )
    };
    let yaml = services()
        + &gw(&server(
            443,
            "TLS",
            "'*.pass.test', other.test",
            "{mode: PASSTHROUGH}",
        ))
        + &vs("a", "'*.pass.test'", "a.pass.test", 443)
        + &vs("b", "a.pass.test", "a.pass.test", 443)
        + &vs("c", "other.test", "other.test", 8443)
        + &vs("d", "elsewhere.test", "elsewhere.test", 443)
        + &answers("http", "x.pass.test", "");
    let world = gateway("ingressgateway", &yaml);
    world.check(
        "tls 10.34.0.141:443 a.pass.test => outbound|443||many.default.svc.cluster.local
         tls 10.34.0.141:443 x.pass.test => no chain
         tls 10.34.0.141:443 other.test => no chain
         tls 10.34.0.141:443 elsewhere.test => no chain",
    );
    world.assert_problems(&["VirtualService default/b: spec.tls[0].match[0].sniHosts: VirtualService default/a tls[0].match[0] has one"]);
}

#[test]
fn auto_passthrough_takes_the_cluster_from_the_name() {
    let yaml = services()
        + &gw(&server(
            15443,
            "TLS",
            "'*.local'",
            "{mode: AUTO_PASSTHROUGH}",
        ));
    gateway("ingressgateway", &yaml).check(
        "istio 10.34.0.141:15443 outbound_.443_._.many.default.svc.cluster.local => outbound|443||many.default.svc.cluster.local
         tls 10.34.0.141:15443 outbound_.443_._.many.default.svc.cluster.local => no chain
         istio 10.34.0.141:15443 outbound_.1_._.many.default.svc.cluster.local => no chain",
    );
}
