//! WebSockets with a real client and a real server: through the sidecar, the egress gateway and TLS, and refused.

use std::net::{IpAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use egret_tests::DEADLINE;
use egret_tests::client::curl;
use egret_tests::folder::Folder;
use egret_tests::ledger::Ledger;
use egret_tests::netns::Host;
use egret_tests::objects::{DestinationRule, Gateway, ServiceEntry, VirtualService, documents};
use egret_tests::places::{EGRESS_GATEWAY, ELSEWHERE, Family, Located, SLEEP};
use egret_tests::topology::World;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message, WebSocket};

use crate::helpers::stage;
use crate::helpers::stage::{REGISTRY_ONLY, assert_fields, field};

fn entry() -> String {
    let entry = ServiceEntry::new("elsewhere.example");
    entry.port(80, "HTTP").port(443, "HTTP").to_string()
}

/// What a server saw.
#[derive(Clone, Debug, Default)]
struct Server {
    /// Hosts and paths of requests to become a WebSocket.
    asked: Ledger<(String, String)>,
    /// How each one ended.
    ends: Ledger<String>,
}

impl Server {
    /// Serves an echo; `/no` is forbidden, and `/chat` is offered in the protocol `second`.
    fn start(listener: TcpListener, tls: Option<Arc<ServerConfig>>) -> anyhow::Result<Self> {
        listener.set_nonblocking(false)?;
        let server = Self::default();
        let serving = server.clone();
        // Ends with the process: nothing connects once the test is over.
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (server, tls) = (serving.clone(), tls.clone());
                thread::spawn(move || -> anyhow::Result<()> {
                    match tls {
                        None => server.serve(stream),
                        Some(tls) => {
                            let tls = ServerConnection::new(tls)?;
                            server.serve(StreamOwned::new(tls, stream))
                        }
                    }
                });
            }
        });
        Ok(server)
    }

    #[expect(clippy::result_large_err, reason = "the library's")]
    fn serve(self, stream: impl std::io::Read + std::io::Write) -> anyhow::Result<()> {
        let mut socket = tungstenite::accept_hdr(stream, |request: &Request, response| {
            self.consent(request, response)
        })
        .map_err(|error| anyhow::anyhow!("{error}"))?;
        let end = loop {
            match socket.read() {
                Ok(message @ (Message::Text(_) | Message::Binary(_))) => socket.send(message)?,
                Ok(Message::Close(frame)) => {
                    let frame = frame.map(|frame| frame.to_string());
                    // What remains is to send the answer to it.
                    while socket.read().is_ok() {}
                    break frame.unwrap_or_default();
                }
                Ok(_) => {}
                Err(error) => break error.to_string(),
            }
        };
        self.ends.push(end);
        Ok(())
    }

    #[expect(clippy::result_large_err, reason = "the library's")]
    fn consent(
        &self,
        request: &Request,
        mut response: Response,
    ) -> Result<Response, ErrorResponse> {
        let host = request.headers().get("host");
        let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
        let path = request.uri().path().to_owned();
        self.asked.push((host.to_owned(), path.clone()));
        if path == "/no" {
            let mut refusal = ErrorResponse::new(Some("not for you\n".to_owned()));
            *refusal.status_mut() = http::StatusCode::FORBIDDEN;
            refusal
                .headers_mut()
                .insert("content-length", "12".parse().expect("a value"));
            return Err(refusal);
        }
        if let Some(offered) = request.headers().get("sec-websocket-protocol")
            && offered
                .to_str()
                .is_ok_and(|offered| offered.contains("second"))
        {
            let chosen = "second".parse().expect("a value");
            response
                .headers_mut()
                .insert("sec-websocket-protocol", chosen);
        }
        Ok(response)
    }
}

fn open(
    pod: &Host,
    to: IpAddr,
    path: &str,
) -> anyhow::Result<(
    WebSocket<TcpStream>,
    tungstenite::handshake::client::Response,
)> {
    let stream = pod.run(move || TcpStream::connect((to, 80)))?;
    stream.set_read_timeout(Some(DEADLINE))?;
    let mut request = format!("ws://elsewhere.example{path}").into_client_request()?;
    request
        .headers_mut()
        .insert("sec-websocket-protocol", "first, second".parse()?);
    tungstenite::client(request, stream).map_err(|error| match error {
        tungstenite::HandshakeError::Failure(error) => error.into(),
        tungstenite::HandshakeError::Interrupted(_) => anyhow::anyhow!("no answer"),
    })
}

/// Says this and that, and goodbye.
fn converse(pod: &Host, to: IpAddr) -> anyhow::Result<()> {
    let (mut socket, response) = open(pod, to, "/chat?room=1")?;
    assert_eq!(response.status(), 101);
    let header = |name: &str| {
        response
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    assert_eq!(header("sec-websocket-protocol"), Some("second"));
    let large: Vec<u8> = (0..3_000_000u32).map(|at| at.to_le_bytes()[1]).collect();
    for message in [
        Message::text("hello"),
        Message::text(""),
        Message::binary(large),
    ] {
        socket.send(message.clone())?;
        assert!(
            socket.read()? == message,
            "a message comes back as it was sent"
        );
    }
    socket.send(Message::Ping("are you there".into()))?;
    assert_eq!(socket.read()?, Message::Pong("are you there".into()));
    socket.close(Some(CloseFrame {
        code: CloseCode::Away,
        reason: "enough".into(),
    }))?;
    loop {
        match socket.read() {
            Ok(_) => {}
            Err(tungstenite::Error::ConnectionClosed) => return Ok(()),
            Err(error) => return Err(error).context("after the goodbye"),
        }
    }
}

#[test]
fn a_conversation_passes_the_sidecar() -> anyhow::Result<()> {
    let world = World::new("websocket", Family::V4)?;
    let server = Server::start(world.internet.listen(ELSEWHERE.v4(), 80)?, None)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered("entry.yaml", &entry())?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    converse(&pod, ELSEWHERE.v4())?;
    let asked = server.asked.all();
    assert_eq!(
        asked,
        [("elsewhere.example".to_owned(), "/chat".to_owned())]
    );
    let end = server.ends.await_one(|_| true)?;
    assert!(end.contains("enough"), "{end}");
    let line = sidecar.await_access(|line| field(line, "path") == "/chat?room=1")?;
    assert_fields(
        &line,
        &[
            ("response_code", json!(101)),
            ("response_flags", json!("-")),
        ],
    );
    let bytes = |key: &str| {
        line.get(key)
            .and_then(serde_json::Value::as_u64)
            .unwrap_or_default()
    };
    assert!(
        bytes("bytes_sent") > 3_000_000 && bytes("bytes_received") > 3_000_000,
        "{line}"
    );

    // A client that is gone without a word is told of.
    let (mut socket, _) = open(&pod, ELSEWHERE.v4(), "/chat")?;
    socket.send(Message::text("hello"))?;
    socket.read()?;
    drop(socket);
    let end = server.ends.await_from(1, |_| true)?;
    assert!(!end.contains("enough"), "{end}");
    Ok(())
}

#[test]
fn a_conversation_passes_the_egress_gateway_and_tls() -> anyhow::Result<()> {
    let world = World::new("websocket-gateway", Family::V4)?;
    let tls = world.authority.server(&[ELSEWHERE.name])?;
    let listener = world.internet.listen(ELSEWHERE.v4(), 443)?;
    let server = Server::start(listener, Some(tls))?;
    let pod = world.pod(SLEEP, "default")?;
    let gateway_pod = world.gateway_pod(EGRESS_GATEWAY)?;
    let config = Folder::with(&[REGISTRY_ONLY, stage::services(Family::V4)])?;
    config.write("entry.yaml", &entry())?;
    let routes = VirtualService::new("elsewhere.example").gateways(&["egress", "mesh"]);
    let gateway = "istio-egressgateway.istio-system.svc.cluster.local";
    let tls = "{portLevelSettings: [{port: {number: 443}, tls: {mode: SIMPLE}}]}";
    let objects = documents(&[
        &Gateway::egress("egress").server(80, "HTTP", &["elsewhere.example"]),
        &routes
            .route("{gateways: [mesh], port: 80}", gateway, 80)
            .route("{gateways: [egress], port: 80}", "elsewhere.example", 443),
        &DestinationRule::new("elsewhere.example", tls),
    ]);
    config.write("route.yaml", &objects)?;
    let gateway = stage::egress_gateway(&world, &gateway_pod, &config)?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    converse(&pod, ELSEWHERE.v4())?;
    assert_eq!(server.asked.len(), 1);
    let line = gateway.await_access(|line| field(line, "path") == "/chat?room=1")?;
    assert_fields(
        &line,
        &[
            ("response_code", json!(101)),
            ("upstream_cluster", json!("outbound|443||elsewhere.example")),
        ],
    );
    Ok(())
}

#[test]
fn who_is_refused_is_told_so() -> anyhow::Result<()> {
    let world = World::new("websocket-refused", Family::V4)?;
    let server = Server::start(world.internet.listen(ELSEWHERE.v4(), 80)?, None)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered("entry.yaml", &entry())?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let error = open(&pod, ELSEWHERE.v4(), "/no").expect_err("the origin refuses");
    match error.downcast_ref::<tungstenite::Error>() {
        Some(tungstenite::Error::Http(response)) => {
            assert_eq!(response.status(), 403);
            assert_eq!(response.body().as_deref(), Some(&b"not for you\n"[..]));
        }
        _ => panic!("{error:?}"),
    }
    assert_eq!(server.asked.len(), 1);
    // Another protocol than WebSocket is not passed on at all.
    let options = ["-H", "Connection: Upgrade", "-H", "Upgrade: chat/2"];
    let answer = curl(
        &pod,
        &[&options[..], &["http://elsewhere.example/chat"]].concat(),
    )?;
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_eq!(answer.header("x-egret-verdict"), Some("upgrade_refused"));
    assert_eq!(server.asked.len(), 1);
    Ok(())
}

#[test]
fn a_routes_timeout_does_not_end_a_conversation() -> anyhow::Result<()> {
    let world = World::new("websocket-timeout", Family::V4)?;
    let _server = Server::start(world.internet.listen(ELSEWHERE.v4(), 80)?, None)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    let route = "---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: elsewhere}
spec:
  hosts: [elsewhere.example]
  http:
  - timeout: 200ms
    route: [{destination: {host: elsewhere.example, port: {number: 80}}}]
";
    config.write("entry.yaml", &(entry() + route))?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let (mut socket, _) = open(&pod, ELSEWHERE.v4(), "/chat")?;
    // Nothing comes for longer than the route allows an answer to take.
    socket
        .get_ref()
        .set_read_timeout(Some(Duration::from_millis(600)))?;
    match socket.read() {
        Err(tungstenite::Error::Io(error)) => {
            assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
        }
        other => panic!("{other:?}"),
    }
    socket.get_ref().set_read_timeout(Some(DEADLINE))?;
    socket.send(Message::text("still there?"))?;
    assert_eq!(socket.read()?, Message::text("still there?"));
    Ok(())
}
