//! gRPC with a real client and a real server: every kind of call, through the sidecar, the egress gateway and TLS.

mod peer;
mod failures;

use egret_tests::DEADLINE;
use egret_tests::egret::{Proxy, STATS};
use egret_tests::folder::Folder;
use egret_tests::netns::Host;
use egret_tests::objects::{DestinationRule, Gateway, ServiceEntry, VirtualService, documents};
use egret_tests::places::{EGRESS_GATEWAY, ELSEWHERE, Family, Located, SLEEP};
use egret_tests::topology::World;
use serde_json::json;
use tokio::runtime::Runtime;
use tonic::{Code, Status};

use crate::helpers::stage;
use crate::helpers::stage::{REGISTRY_ONLY, assert_fields, field};
use crate::http::grpc::peer::{Call, Client, Server};

const PORT: u16 = 50_051;

/// A ServiceEntry with one port of `protocol` on our site.
fn entry(name: &str, port: u16, protocol: &str) -> String {
    let entry = ServiceEntry::new(&format!("{name}.example"));
    format!("---\n{}", entry.port(port, protocol).at([ELSEWHERE.v4()]))
}

fn runtime() -> anyhow::Result<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?)
}

/// A pod whose configuration knows a gRPC server on our site.
struct Stage {
    config: Folder,
    pod: Host,
    server: Server,
    world: World,
    runtime: Runtime,
}

impl Stage {
    /// The server is registered by `text`.
    fn new(name: &str, text: &str) -> anyhow::Result<Self> {
        let runtime = runtime()?;
        let world = World::new(name, Family::V4)?;
        Ok(Self {
            config: stage::registered("grpc.yaml", text)?,
            pod: world.pod(SLEEP, "default")?,
            server: Server::start(&runtime, &world.internet, ELSEWHERE.v4(), PORT, None)?,
            world,
            runtime,
        })
    }

    fn sidecar(&self) -> anyhow::Result<Proxy<'_>> {
        stage::sidecar(&self.world, &self.pod, "default", &self.config)
    }
}

/// Every kind of call, over one connection.
async fn all_kinds(client: &mut Client) -> Result<(), Status> {
    assert_eq!(client.call(Call::Unary, &["one"]).await?, ["one"]);
    let words = client.call(Call::Split, &["a b c"]).await?;
    assert_eq!(words, ["a", "b", "c"]);
    let joined = client.call(Call::Join, &["a", "b", "c"]).await?;
    assert_eq!(joined, ["a b c"]);
    let long = "x".repeat(3 << 20);
    assert_eq!(client.call(Call::Unary, &[&long]).await?, [long]);
    // Each answer comes before the next question is asked: nothing is held back on the way.
    client.chat(&["marco", "ping", "knock"]).await
}

#[test]
fn every_kind_of_call_passes_the_sidecar() -> anyhow::Result<()> {
    let stage = Stage::new("grpc-sidecar", &entry("grpc", PORT, "GRPC"))?;
    let sidecar = stage.sidecar()?;
    stage.runtime.block_on(async {
        let mut client = Client::connect(&stage.pod, ELSEWHERE.v4(), PORT, "grpc.example").await?;
        all_kinds(&mut client).await?;

        // What the server says of itself arrives as it was said, words and all.
        let status = client.call(Call::Unary, &["fail"]).await;
        let status = status.expect_err("failed as asked");
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert_eq!(status.message(), "as asked: 100 % ü");
        assert_eq!(
            status.metadata().get("x-why").map(|why| why.as_bytes()),
            Some(&b"asked"[..])
        );
        // After some answers, too: then it is in the trailers.
        let status = client.call(Call::Split, &["a b fail"]).await;
        assert_eq!(
            status.expect_err("failed as asked").code(),
            Code::FailedPrecondition
        );
        let status = client.call(Call::Unknown, &["x"]).await;
        assert_eq!(
            status.expect_err("no such method").code(),
            Code::Unimplemented
        );
        anyhow::Ok(())
    })?;
    let fine = [("request_protocol", "grpc"), ("grpc_response_status", "0")];
    let failed = [("grpc_response_status", "9"), ("response_code", "200")];
    let unknown = [("grpc_response_status", "12")];
    let scraped = sidecar.await_metrics(STATS, |scraped| {
        let requests = |labels| scraped.sum("istio_requests_total", labels);
        requests(&fine) == 5.0 && requests(&failed) == 2.0 && requests(&unknown) == 1.0
    })?;
    let messages = |direction| {
        let family = format!("istio_{direction}_messages_total");
        let found = scraped.of(&family, &[("destination_service", "grpc.example")]);
        assert!(found.iter().all(|sample| sample.labels.len() == 20));
        scraped.sum(&family, &[])
    };
    // The calls above have 9 each, those that fail 2 more. The message to the unknown method is read only if it comes
    // before the answer.
    assert_eq!(messages("response"), 11.0);
    assert!((11.0..=12.0).contains(&messages("request")));
    assert_eq!(
        stage.server.connections.len(),
        1,
        "all calls share a connection"
    );
    let line = sidecar.await_access(|line| field(line, "path") == "/test.Echo/Split")?;
    assert_fields(
        &line,
        &[
            ("protocol", json!("HTTP/2")),
            ("response_code", json!(200)),
            ("response_flags", json!("-")),
        ],
    );
    Ok(())
}

#[test]
fn every_kind_of_call_passes_the_egress_gateway_and_tls() -> anyhow::Result<()> {
    let runtime = runtime()?;
    let world = World::new("grpc-gateway", Family::V4)?;
    let tls = world.authority.server(&["grpc.example"])?;
    let mut tls = rustls::ServerConfig::clone(&tls);
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let server = Server::start(&runtime, &world.internet, ELSEWHERE.v4(), 443, Some(tls))?;
    let pod = world.pod(SLEEP, "default")?;
    let gateway_pod = world.gateway_pod(EGRESS_GATEWAY)?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    let gateway = "egress.istio-system.svc.cluster.local";
    let tls = "{portLevelSettings: [{port: {number: 443}, tls: {mode: SIMPLE}}]}";
    let entry = ServiceEntry::new("grpc.example").port(PORT, "GRPC");
    let objects = documents(&[
        &entry.port(443, "GRPC").at([ELSEWHERE.v4()]),
        &ServiceEntry::new(gateway)
            .namespace("istio-system")
            .port(80, "HTTP2")
            .at([EGRESS_GATEWAY.v4()]),
        &Gateway::egress("egress").server(80, "HTTP2", &["grpc.example"]),
        &VirtualService::new("grpc.example")
            .gateways(&["egress", "mesh"])
            .route(&format!("{{gateways: [mesh], port: {PORT}}}"), gateway, 80)
            .route("{gateways: [egress], port: 80}", "grpc.example", 443),
        &DestinationRule::new("grpc.example", tls),
    ]);
    config.write("grpc.yaml", &objects)?;
    let gateway = stage::egress_gateway(&world, &gateway_pod, &config)?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    runtime.block_on(async {
        let mut client = Client::connect(&pod, ELSEWHERE.v4(), PORT, "grpc.example").await?;
        all_kinds(&mut client).await?;
        let status = client.call(Call::Unary, &["fail"]).await;
        assert_eq!(
            status.expect_err("failed as asked").code(),
            Code::FailedPrecondition
        );
        anyhow::Ok(())
    })?;
    let callers = server.connections.all();
    assert!(
        callers.iter().all(|peer| peer.ip() == EGRESS_GATEWAY.v4()),
        "{callers:?}"
    );
    let line = gateway.await_access(|line| field(line, "path") == "/test.Echo/Join")?;
    assert_fields(
        &line,
        &[
            ("upstream_cluster", json!("outbound|443||grpc.example")),
            ("response_code", json!(200)),
        ],
    );
    Ok(())
}

#[test]
fn a_plain_http_port_carries_no_grpc_but_h2_upgrade_makes_it() -> anyhow::Result<()> {
    let rule = "---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: upgraded}
spec:
  host: upgraded.example
  trafficPolicy: {connectionPool: {http: {h2UpgradePolicy: UPGRADE}}}
";
    let text = entry("plain", PORT, "HTTP") + &entry("upgraded", PORT, "HTTP") + rule;
    let stage = Stage::new("grpc-upgrade", &text)?;
    let _sidecar = stage.sidecar()?;
    stage.runtime.block_on(async {
        let mut client =
            Client::connect(&stage.pod, ELSEWHERE.v4(), PORT, "upgraded.example").await?;
        all_kinds(&mut client).await?;
        // Asked in HTTP/1, a server of HTTP/2 answers nothing that could be passed on.
        let mut client = Client::connect(&stage.pod, ELSEWHERE.v4(), PORT, "plain.example").await?;
        let status = client.call(Call::Unary, &["one"]).await;
        assert_eq!(status.expect_err("not in HTTP/1").code(), Code::Unavailable);
        anyhow::Ok(())
    })
}

/// Runs what must not take for ever.
async fn in_time<T>(future: impl Future<Output = T>) -> Result<T, Status> {
    tokio::time::timeout(DEADLINE, future)
        .await
        .map_err(|_| Status::internal("the test's own time is over"))
}
