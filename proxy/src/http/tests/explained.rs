//! What `explain` says of a request is what the proxy does with it.

mod gateway;

use egret_config::decide;
use egret_config::decide::call::{Connection, Layer};
use egret_config::decide::verdict::Verdict;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::commands::explain::{Output, live};
use crate::http::tests::world::*;

const REGISTRY_ONLY: &str = "outboundTrafficPolicy: {mode: REGISTRY_ONLY}";

/// The port that redirected connections arrive at.
const OWN_PORT: u16 = 15001;

/// A request, as `explain` is asked about it and as a client sends it.
struct Asked {
    to: &'static str,
    method: &'static str,
    path: &'static str,
    host: Option<&'static str>,
    headers: &'static [(&'static str, &'static str)],
}

/// A GET for `/` at the address of the services.
const GET: Asked = Asked {
    to: "10.0.0.1:80",
    method: "GET",
    path: "/",
    host: Some("a.test"),
    headers: &[],
};

impl Asked {
    fn query(&self) -> String {
        let path = self.path.replace('%', "%25");
        let mut query = format!(
            "to={}&protocol=http&method={}&path={path}",
            self.to, self.method
        );
        if let Some(host) = self.host {
            query.push_str(&format!("&host={host}"));
        }
        for (name, value) in self.headers {
            query.push_str(&format!("&header={name}: {value}"));
        }
        query
    }

    fn bytes(&self) -> String {
        let target = match self.method {
            "CONNECT" => self.host.unwrap_or_default(),
            _ => self.path,
        };
        let host = self.host.map(|host| format!("host: {host}\r\n"));
        let headers = self.headers.iter();
        let headers: String = headers
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        format!(
            "{} {target} HTTP/1.1\r\n{}{headers}\r\n",
            self.method,
            host.unwrap_or_default()
        )
    }
}

fn objects() -> String {
    let rule_of = |name: &str, text: &str| service(name, "HTTP", &[]) + &rule(name, text);
    let hosts = "route: [{destination: {host: a.test}}]";
    [
        service("a", "HTTP", &[]),
        service("loop", "HTTP", &[([127, 0, 0, 1], OWN_PORT).into()]),
        rule_of(
            "gone",
            "match: [{uri: {exact: /}}], route: [{destination: {host: missing.test}}]",
        ),
        rule_of("moved", "redirect: {authority: new.test}"),
        rule_of(
            "teapot",
            "directResponse: {status: 418, body: {string: tea}}",
        ),
        rule_of(
            "fault",
            &format!("fault: {{abort: {{percentage: {{value: 100}}, httpStatus: 555}}}}, {hosts}"),
        ),
        rule_of(
            "grpc",
            &format!(
                "fault: {{abort: {{percentage: {{value: 100}}, grpcStatus: UNAVAILABLE}}}}, {hosts}"
            ),
        ),
        rule_of(
            "cors",
            &format!("corsPolicy: {{allowOrigins: [{{exact: 'https://page.test'}}]}}, {hosts}"),
        ),
        rule_of(
            "both",
            &format!(
                "corsPolicy: {{allowOrigins: [{{exact: 'https://page.test'}}]}}, \
                 fault: {{abort: {{percentage: {{value: 100}}, httpStatus: 555}}}}, {hosts}"
            ),
        ),
    ]
    .concat()
}

const PREFLIGHT: &[(&str, &str)] = &[
    ("origin", "https://page.test"),
    ("access-control-request-method", "PUT"),
];

/// Requests, with the word that `explain` has for them and the details that the log has.
const ASKED: &[(Asked, &str, &str)] = &[
    (
        Asked {
            host: Some("loop.test"),
            ..GET
        },
        "blackhole",
        "own_listener",
    ),
    (
        Asked {
            host: Some("nowhere.test"),
            ..GET
        },
        "blackhole",
        "direct_response",
    ),
    (
        Asked {
            method: "CONNECT",
            host: Some("nowhere.test:443"),
            ..GET
        },
        "blackhole",
        "direct_response",
    ),
    (
        Asked {
            method: "CONNECT",
            host: Some("a.test:443"),
            ..GET
        },
        "not_found",
        "route_not_found",
    ),
    (
        Asked { host: None, ..GET },
        "bad_request",
        "missing_host_header",
    ),
    (
        Asked {
            host: Some("a/b"),
            ..GET
        },
        "bad_request",
        "http.invalid_authority",
    ),
    (
        Asked {
            path: "/a%00",
            ..GET
        },
        "bad_request",
        "path_normalization_failed",
    ),
    (
        Asked {
            path: "https://a.test/",
            ..GET
        },
        "bad_request",
        "http1.https_url_on_plaintext_connection",
    ),
    (
        Asked {
            path: "ftp://a.test/",
            ..GET
        },
        "bad_request",
        "http1.invalid_scheme",
    ),
    (
        Asked {
            headers: &[("connection", "upgrade"), ("upgrade", "irc")],
            ..GET
        },
        "bad_request",
        "upgrade_failed",
    ),
    (
        Asked {
            method: "POST",
            headers: &[("content-length", "0"), ("transfer-encoding", "chunked")],
            ..GET
        },
        "bad_request",
        "http1.content_length_and_chunked_not_allowed",
    ),
    (
        Asked {
            method: "POST",
            headers: &[("transfer-encoding", "gzip")],
            ..GET
        },
        "bad_request",
        "http1.invalid_transfer_encoding",
    ),
    (
        Asked {
            host: Some("gone.test"),
            ..GET
        },
        "route",
        "cluster_not_found",
    ),
    (
        Asked {
            host: Some("gone.test"),
            path: "/other",
            ..GET
        },
        "not_found",
        "route_not_found",
    ),
    (
        Asked {
            host: Some("moved.test"),
            ..GET
        },
        "redirect",
        "direct_response",
    ),
    (
        Asked {
            host: Some("teapot.test"),
            ..GET
        },
        "direct_response",
        "direct_response",
    ),
    (
        Asked {
            host: Some("fault.test"),
            ..GET
        },
        "route",
        "fault_filter_abort",
    ),
    (
        Asked {
            host: Some("grpc.test"),
            ..GET
        },
        "route",
        "fault_filter_abort",
    ),
    (
        Asked {
            method: "OPTIONS",
            host: Some("cors.test"),
            headers: PREFLIGHT,
            ..GET
        },
        "direct_response",
        "cors_response",
    ),
    // A fault comes before a preflight.
    (
        Asked {
            method: "OPTIONS",
            host: Some("both.test"),
            headers: PREFLIGHT,
            ..GET
        },
        "route",
        "fault_filter_abort",
    ),
    (GET, "route", "no_healthy_upstream"),
];

/// What `explain` says of a call.
fn said(world: &World, query: &str) -> serde_json::Value {
    let snapshot = world.proxy.current.load();
    let said = live::explain(&snapshot, &|_| None, query, Output::Json, &[]);
    let said = said.unwrap_or_else(|wrong| panic!("{query}: {wrong}"));
    serde_json::from_str(&said).expect("JSON")
}

#[test]
fn explain_and_the_proxy_agree() {
    worker(|| async {
        let world = World::redirected(REGISTRY_ONLY, &objects(), OWN_PORT);
        for (asked, verdict, details) in ASKED {
            let query = asked.query();
            let said = said(&world, &query);
            assert_eq!(said["verdict"], *verdict, "{query}: {said}");

            let mut client = world.client(asked.to.parse().expect("address"));
            let sent = client.write_all(asked.bytes().as_bytes()).await;
            sent.expect("sent");
            client.shutdown().await.expect("ended");
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).await.expect("answered");
            let line = world.lines().pop().expect("a line");
            assert_eq!(line["response_code_details"], *details, "{query}: {line}");
            assert_eq!(said["response_code_details"], *details, "{query}: {said}");
            assert_eq!(said["status"], line["response_code"], "{query}: {line}");
            let flags = said["response_flags"].as_str().unwrap_or("-");
            assert_eq!(line["response_flags"], flags, "{query}: {line}");
        }
    });
}

#[test]
fn explain_and_the_proxy_agree_on_bytes() {
    worker(|| async {
        let world = World::redirected(REGISTRY_ONLY, &objects(), OWN_PORT);
        let snapshot = world.proxy.current.load();
        for to in ["10.9.9.9:15001", "192.0.2.9:9999"] {
            let connection = Connection {
                arrival: arrival(to.parse().expect("address")),
                layer: &Layer::Opaque,
                terminated: None,
            };
            let decision = decide::connection(&snapshot, &connection, &mut |_| 0);
            let Verdict::Refuse(refusal) = &decision.verdict else {
                panic!("{to}: {decision:?}");
            };
            let mut facts = world.proxy.reporter.begin();
            facts.set_stream_failure(&refusal.clone().into());
            let query = format!("to={to}&protocol=tcp");
            let said = said(&world, &query);
            assert_eq!(said["verdict"], "blackhole", "{said}");
            assert_eq!(said["response_flags"], facts.flags.to_string(), "{said}");
            assert_eq!(said["status"], serde_json::Value::Null, "{said}");
            facts.dismiss();
        }
    });
}
