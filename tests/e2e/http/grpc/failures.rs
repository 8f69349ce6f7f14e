//! Calls that fail on the way: what their client is told, and what their server.

use std::time::Duration;

use egret_tests::places::{ELSEWHERE, Family, Located, SLEEP};
use egret_tests::topology::World;
use serde_json::json;
use tonic::Code;

use crate::helpers::stage;
use crate::helpers::stage::{assert_fields, field};
use crate::http::grpc::peer::{Call, Client, Server};
use crate::http::grpc::{PORT, Stage, entry, runtime};

/// Hosts and routes that the proxy refuses in as many ways, and what a client is told.
const REFUSALS: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: none}
spec:
  hosts: [none.example]
  ports: [{number: 50051, name: grpc, protocol: GRPC}]
  resolution: STATIC
  endpoints: []
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: silent}
spec:
  hosts: [silent.example]
  ports: [{number: 50051, name: grpc, protocol: GRPC}]
  resolution: STATIC
  endpoints: [{address: 198.51.100.15, ports: {grpc: 9}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: routes}
spec:
  hosts: [grpc.example]
  http:
  - match: [{headers: {x-way: {exact: aborted}}}]
    fault: {abort: {grpcStatus: RESOURCE_EXHAUSTED, percentage: {value: 100}}}
    route: [{destination: {host: grpc.example}}]
  - match: [{headers: {x-way: {exact: forbidden}}}]
    directResponse: {status: 403, body: {string: not for you}}
  - match: [{headers: {x-way: {exact: short}}}]
    timeout: 300ms
    route: [{destination: {host: grpc.example}}]
  - match: [{headers: {x-way: {exact: plain}}}]
    route: [{destination: {host: grpc.example}}]
";

#[test]
fn a_refused_call_has_a_status_and_words() -> anyhow::Result<()> {
    let stage = Stage::new(
        "grpc-refused",
        &(entry("grpc", PORT, "GRPC") + "---" + REFUSALS),
    )?;
    let sidecar = stage.sidecar()?;
    stage.runtime.block_on(async {
        for (host, way, code, words, verdict) in [
            (
                "unknown.example",
                "",
                Code::Unavailable,
                "REGISTRY_ONLY",
                Some("blackhole"),
            ),
            (
                "none.example",
                "",
                Code::Unavailable,
                "no healthy upstream",
                Some("no_endpoint"),
            ),
            (
                "silent.example",
                "",
                Code::Unavailable,
                "remote connection failure",
                Some("connect_failed"),
            ),
            (
                "grpc.example",
                "",
                Code::Unimplemented,
                "no route",
                Some("no_route"),
            ),
            (
                "grpc.example",
                "aborted",
                Code::ResourceExhausted,
                "fault filter abort",
                Some("fault"),
            ),
            (
                "grpc.example",
                "forbidden",
                Code::PermissionDenied,
                "not for you",
                None,
            ),
            (
                "grpc.example",
                "short",
                Code::Unavailable,
                "upstream request timeout",
                Some("timeout"),
            ),
        ] {
            let client = Client::connect(&stage.pod, ELSEWHERE.v4(), PORT, host).await?;
            let mut client = client.with("x-way", way);
            client.deadline = Some(Duration::from_secs(10));
            for (call, question) in [
                (Call::Unary, "wait"),
                (Call::Join, "wait"),
                (Call::Chat, "wait"),
            ] {
                let refused = client.call(call, &[question]).await;
                let status = refused.expect_err("the call is refused");
                assert_eq!(status.code(), code, "{host} {way}: {status:?}");
                assert!(status.message().contains(words), "{host} {way}: {status:?}");
                let told = status
                    .metadata()
                    .get("x-egret-verdict")
                    .map(|told| told.as_bytes());
                assert_eq!(told, verdict.map(str::as_bytes), "{host} {way}");
            }
            // The refusals did the connection no harm.
            if host == "grpc.example" {
                let mut client = client.with("x-way", "plain");
                assert_eq!(client.call(Call::Unary, &["one"]).await?, ["one"]);
            }
        }
        anyhow::Ok(())
    })?;
    let line = sidecar.await_access(|line| field(line, "response_flags") == "UT")?;
    assert_fields(
        &line,
        &[("response_code_details", json!("response_timeout"))],
    );
    // The server was told of the route's limit, which is shorter than the client's.
    assert!(
        stage
            .server
            .timeouts
            .all()
            .contains(&Some("300m".to_owned())),
        "{:?}",
        stage.server.timeouts.all()
    );
    Ok(())
}

#[test]
fn a_call_that_its_client_takes_back_is_taken_back_from_the_server() -> anyhow::Result<()> {
    let stage = Stage::new("grpc-cancel", &entry("grpc", PORT, "GRPC"))?;
    let _sidecar = stage.sidecar()?;
    stage.runtime.block_on(async {
        let mut client = Client::connect(&stage.pod, ELSEWHERE.v4(), PORT, "grpc.example").await?;
        client.deadline = Some(Duration::from_millis(200));
        let status = client.call(Call::Unary, &["wait"]).await;
        let code = status.expect_err("nobody answers").code();
        // Whose clock is first: the client's, or the proxy's, which goes by the client's own limit.
        assert!(
            matches!(code, Code::DeadlineExceeded | Code::Cancelled),
            "{code:?}"
        );
        client.deadline = None;
        assert_eq!(client.call(Call::Unary, &["one"]).await?, ["one"]);
        anyhow::Ok(())
    })?;
    stage
        .server
        .taken_back
        .await_one(|path| path == "/test.Echo/Unary")?;
    let told = stage.server.timeouts.all();
    assert!(told[0].is_some() && told[1].is_none(), "{told:?}");
    Ok(())
}

#[test]
fn a_call_whose_server_dies_is_told_so() -> anyhow::Result<()> {
    let own = runtime()?;
    let servers = runtime()?;
    let world = World::new("grpc-dies", Family::V4)?;
    let _server = Server::start(&servers, &world.internet, ELSEWHERE.v4(), PORT, None)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered("grpc.yaml", &entry("grpc", PORT, "GRPC"))?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    own.block_on(async {
        let mut client = Client::connect(&pod, ELSEWHERE.v4(), PORT, "grpc.example").await?;
        let status = client
            .chat_until(&["marco"], || servers.shutdown_background())
            .await;
        let status = status.expect_err("the server is dead");
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        assert!(status.message().contains("broke off"), "{status:?}");
        let told = status.metadata().get("x-egret-verdict");
        assert_eq!(
            told.map(|told| told.as_bytes()),
            Some(&b"upstream_reset"[..])
        );
        // The connection to the client is none the worse; nobody is there to be called any more.
        let status = client.call(Call::Unary, &["one"]).await;
        assert_eq!(status.expect_err("nobody").code(), Code::Unavailable);
        anyhow::Ok(())
    })?;
    let line = sidecar.await_access(|line| field(line, "path") == "/test.Echo/Chat")?;
    assert_fields(
        &line,
        &[
            ("response_code", json!(200)),
            ("response_flags", json!("UC")),
        ],
    );
    Ok(())
}
