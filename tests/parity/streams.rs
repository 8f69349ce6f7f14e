//! TLS that a gateway ends, begins or passes, bytes, mirrors and weights: through egret and through Envoy.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::IpAddr;
use std::net::Shutdown;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use egret_tests::DEADLINE;
use egret_tests::certs::NOW;
use egret_tests::client::APPLICATION_UID;
use egret_tests::client::curl;
use egret_tests::egret::Settings;
use egret_tests::envoy;
use egret_tests::folder::Folder;
use egret_tests::ledger::Ledger;
use egret_tests::netns::Host;
use egret_tests::origin::Origin;
use egret_tests::origin::at_once;
use egret_tests::origin::text;
use egret_tests::places::CNN;
use egret_tests::places::EGRESS_GATEWAY;
use egret_tests::places::ELSEWHERE;
use egret_tests::places::Family;
use egret_tests::places::GOOGLE;
use egret_tests::places::HTTPBIN_ORG;
use egret_tests::places::INGRESS_GATEWAY;
use egret_tests::places::Located;
use egret_tests::places::Place;
use egret_tests::places::SLEEP;
use egret_tests::process::Process;
use egret_tests::topology::World;
use hyper::StatusCode;

use crate::compare::Facts;
use crate::compare::Names;
use crate::compare::facts;
use crate::differences;
use crate::insist::insist;
use crate::tell_skipped;
use crate::wire;
use crate::wire::Heard;
use crate::wire::Message;

/// How long a side that does not answer is waited for.
const PATIENCE: Duration = Duration::from_secs(4);

/// What the origin of bytes says first.
const GREETING: &[u8] = b"welcome\n";

/// One thing that a client does with a gateway.
struct Call {
    name: &'static str,
    doing: Doing,
}

/// What a client does.
enum Doing {
    /// `curl URL ARGUMENTS…`, the host's name led to the gateway.
    Curl(&'static str, &'static [&'static str]),
    /// `openssl s_client ARGUMENTS…` at port 443, saying nothing.
    Shake(&'static [&'static str]),
    /// Bytes to a port, then the end of them.
    Bytes(u16, &'static [u8]),
}

const CALLS: &[Call] = &[
    call(
        "mirrored",
        Doing::Curl("http://mirrored.example/get?a=1", &[]),
    ),
    call(
        "mirrored with a body",
        Doing::Curl("http://mirrored.example/post", &["-d", "a=1"]),
    ),
    call(
        "mirrored with a port in the host",
        Doing::Curl(
            "http://mirrored.example/get",
            &["-H", "host: mirrored.example:80"],
        ),
    ),
    call(
        "no weight and all weight",
        Doing::Curl("http://weighted.example/get", &[]),
    ),
    call(
        "ended",
        Doing::Curl("https://ended.example/get", &["--http1.1"]),
    ),
    call(
        "ended, HTTP/2",
        Doing::Curl("https://ended.example/get", &["--http2"]),
    ),
    call(
        "ended, a port in the host",
        Doing::Curl(
            "https://ended.example/get",
            &["--http1.1", "-H", "host: ended.example:443"],
        ),
    ),
    call(
        "ended, the host of another name",
        Doing::Curl(
            "https://ended.example/get",
            &["--http1.1", "-H", "host: begun.example"],
        ),
    ),
    call(
        "ended, the host of another server",
        Doing::Curl(
            "https://ended.example/get",
            &["--http1.1", "-H", "host: mutual.example"],
        ),
    ),
    call(
        "ended, a forged certificate header",
        Doing::Curl(
            "https://ended.example/get",
            &[
                "--http1.1",
                "-H",
                "x-forwarded-client-cert: URI=spiffe://forged",
            ],
        ),
    ),
    call(
        "begun",
        Doing::Curl("https://begun.example/get", &["--http1.1"]),
    ),
    call(
        "begun, HTTP/2",
        Doing::Curl("https://begun.example/get", &["--http2"]),
    ),
    call(
        "the origin is somebody else",
        Doing::Curl("https://mistaken.example/get", &["--http1.1"]),
    ),
    call(
        "mutual, nothing shown",
        Doing::Curl(
            "https://mutual.example/get",
            &["--http1.1", "--tls-max", "1.2"],
        ),
    ),
    call(
        "mutual, shown",
        Doing::Curl(
            "https://mutual.example/get",
            &[
                "--http1.1",
                "--cert",
                "FILES/client.crt",
                "--key",
                "FILES/client.key",
            ],
        ),
    ),
    call(
        "mutual, an unknown authority",
        Doing::Curl(
            "https://mutual.example/get",
            &[
                "--http1.1",
                "--tls-max",
                "1.2",
                "--cert",
                "FILES/stranger.crt",
                "--key",
                "FILES/stranger.key",
            ],
        ),
    ),
    call(
        "passed",
        Doing::Curl("https://passed.example/get", &["--http1.1"]),
    ),
    call(
        "a name of no server",
        Doing::Curl("https://unknown.example/get", &[]),
    ),
    call(
        "plaintext where TLS is",
        Doing::Curl("http://ended.example:443/get", &[]),
    ),
    call("no name", Doing::Shake(&["-noservername"])),
    call(
        "TLS 1.1",
        Doing::Shake(&["-servername", "ended.example", "-tls1_1"]),
    ),
    call(
        "TLS 1.2",
        Doing::Shake(&["-servername", "ended.example", "-tls1_2"]),
    ),
    call(
        "TLS 1.3",
        Doing::Shake(&["-servername", "ended.example", "-tls1_3"]),
    ),
    call(
        "HTTP/2 and an unknown protocol",
        Doing::Shake(&["-servername", "ended.example", "-alpn", "unknown,h2"]),
    ),
    call(
        "unknown protocols only",
        Doing::Shake(&["-servername", "ended.example", "-alpn", "unknown"]),
    ),
    call("bytes", Doing::Bytes(9000, b"as they are\n")),
    call("no bytes", Doing::Bytes(9000, b"")),
    call("bytes to nobody", Doing::Bytes(9001, b"")),
];

const fn call(name: &'static str, doing: Doing) -> Call {
    Call { name, doing }
}

#[test]
fn a_gateway_does_as_envoy_does_with_streams() -> anyhow::Result<()> {
    if !envoy::is_there()? {
        return tell_skipped();
    }
    let world = World::new("parity-streams", Family::V4)?;
    write_certificates(&world)?;
    let origins = Origins {
        plain: wire::origin(world.internet.listen(HTTPBIN_ORG.v4(), 80)?)?,
        shadow: wire::origin(world.internet.listen(GOOGLE.v4(), 80)?)?,
        secure: world.https(
            CNN,
            world
                .authority
                .server(&["secure.example", "passed.example"])?,
            &at_once(|_| text(StatusCode::OK, "secure\n")),
        )?,
        bytes: world.echo(&world.internet, &[ELSEWHERE.v4()], 9000, GREETING)?,
    };
    let client = world.pod(SLEEP, "default")?;
    let (envoy_pod, egret_pod) = (
        world.gateway_pod(EGRESS_GATEWAY)?,
        world.gateway_pod(INGRESS_GATEWAY)?,
    );
    let files = world.folder().display().to_string();
    let here = |text: &str| text.replace("FILES", &files);
    let _envoy = envoy::start(
        &world,
        &envoy_pod,
        &here(include_str!("streams.envoy.yaml")),
    )?;
    let config = Folder::new()?;
    config.write("streams.yaml", &here(include_str!("streams.istio.yaml")))?;
    let _egret = Settings::gateway("app=parity")
        .with(&["--threads", "1"])
        .config(config.path())
        .start(&world, &egret_pod)?;
    let through = |place: Place| Through {
        client: &client,
        to: place.v4(),
        files: &files,
        origins: &origins,
    };
    insist(
        CALLS,
        &[through(EGRESS_GATEWAY), through(INGRESS_GATEWAY)],
        differences::OF_STREAMS,
        |way, call| way.make(&call.doing),
        |call| call.name,
    )
}

/// The gateways' certificate, and those that clients show: one of the mesh's authority, one of their own.
fn write_certificates(world: &World) -> anyhow::Result<()> {
    let folder = world.folder();
    let names = ["ended", "begun", "mistaken", "mutual"].map(|name| format!("{name}.example"));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let client = [
        "client.example",
        "spiffe://cluster.local/ns/default/sa/sleep",
    ];
    for (file, pair) in [
        ("server", world.authority.pair(&names, NOW)?),
        ("client", world.authority.pair(&client, NOW)?),
        (
            "stranger",
            egret_tests::certs::Pair::self_signed(&["stranger.example"])?,
        ),
    ] {
        fs::write(folder.join(format!("{file}.crt")), pair.certificate)?;
        fs::write(folder.join(format!("{file}.key")), pair.key)?;
    }
    Ok(())
}

/// Who is behind the gateways.
struct Origins {
    plain: Ledger<Message>,
    shadow: Ledger<Message>,
    secure: Origin,
    bytes: Origin,
}

/// A way through one gateway.
struct Through<'w> {
    client: &'w Host,
    to: IpAddr,
    files: &'w str,
    origins: &'w Origins,
}

impl Through<'_> {
    fn make(&self, doing: &Doing) -> anyhow::Result<Facts> {
        match doing {
            Doing::Curl(url, arguments) => self.curl(url, arguments),
            Doing::Shake(arguments) => self.shake(arguments),
            Doing::Bytes(port, bytes) => self.bytes(*port, bytes),
        }
    }

    fn curl(&self, url: &str, arguments: &[&str]) -> anyhow::Result<Facts> {
        let Origins {
            plain,
            shadow,
            secure,
            ..
        } = self.origins;
        let before = (plain.len(), shadow.len(), secure.requests.len());
        let led = format!("::{}:", self.to);
        let mut all = vec!["--connect-to".to_owned(), led, url.to_owned()];
        all.extend(arguments.iter().map(|one| one.replace("FILES", self.files)));
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let answer = curl(self.client, &all)?;
        let responses = match answer.status {
            0 => vec![],
            _ => vec![Message {
                line: answer.status_line,
                headers: answer.headers,
                body: answer.body,
                ..Message::default()
            }],
        };
        if url.contains("mirrored") {
            shadow.await_from(before.1, |_| true)?;
        }
        let mut seen = plain.all().split_off(before.0);
        seen.extend(shadow.all().split_off(before.1));
        let secured = secure.requests.all().split_off(before.2);
        seen.extend(secured.into_iter().map(|seen| {
            let sni = ("sni".to_owned(), seen.sni.unwrap_or_default());
            let text = |value: &hyper::header::HeaderValue| {
                String::from_utf8_lossy(value.as_bytes()).into_owned()
            };
            let headers = seen.headers.iter();
            let headers = headers.map(|(name, value)| (name.to_string(), text(value)));
            Message {
                line: format!("{} {}", seen.method, seen.target),
                headers: headers.chain([sni]).collect(),
                ..Message::default()
            }
        }));
        let heard = Heard {
            responses,
            closed: false,
        };
        let mut facts = facts(&heard, &seen, &Names::new(SLEEP.v4(), self.to));
        facts.insert("curl's exit".to_owned(), exit(answer.exit).to_owned());
        Ok(facts)
    }

    fn shake(&self, arguments: &[&str]) -> anyhow::Result<Facts> {
        let to = format!("{}:443", self.to);
        let ca = format!("{}/ca.pem", self.files);
        let mut all = vec!["s_client", "-connect", &to, "-CAfile", &ca];
        all.extend(arguments);
        let command = self
            .client
            .command(APPLICATION_UID, Path::new("openssl"), &all);
        let said = Process::run(self.client, command)?;
        let mut facts: Facts = BTreeMap::new();
        facts.insert("succeeds".to_owned(), (said.code == 0).to_string());
        for (fact, beginning) in [
            ("version", "New, "),
            ("protocol", "ALPN protocol: "),
            ("verified", "Verify return code: "),
            ("issuer", "issuer="),
        ] {
            let line = said
                .output
                .lines()
                .find(|line| line.trim().starts_with(beginning));
            let value = line.map(|line| line.trim().to_owned());
            facts.insert(fact.to_owned(), value.unwrap_or_default());
        }
        Ok(facts)
    }

    fn bytes(&self, port: u16, bytes: &'static [u8]) -> anyhow::Result<Facts> {
        let before = self.origins.bytes.connections.len();
        let to = self.to;
        let heard = self.client.run(move || -> std::io::Result<Vec<u8>> {
            let mut stream = TcpStream::connect_timeout(&(to, port).into(), PATIENCE)?;
            stream.set_read_timeout(Some(DEADLINE))?;
            // Who refuses may do so before all is sent.
            let _ = stream.write_all(bytes);
            let _ = stream.shutdown(Shutdown::Write);
            let mut heard = Vec::new();
            let ended = stream.read_to_end(&mut heard);
            ended.map(|_| heard)
        });
        let heard = match heard {
            Ok(heard) => String::from_utf8_lossy(&heard).into_owned(),
            Err(error) => format!("{:?}", error.kind()),
        };
        let connections = self.origins.bytes.connections.len() - before;
        Ok(BTreeMap::from([
            ("heard".to_owned(), heard),
            ("origin connections".to_owned(), connections.to_string()),
        ]))
    }
}

/// What curl's exit codes say, as far as it is the proxy's doing: a client's words for a failed handshake vary.
fn exit(code: i32) -> &'static str {
    match code {
        0 => "answered",
        7 | 52 | 55 | 56 => "closed",
        // 98: the alert says that a certificate is required.
        35 | 98 => "no handshake",
        60 => "not whom it wanted",
        _ => "another end",
    }
}
