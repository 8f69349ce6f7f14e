//! nginx as an origin: files both ways, its keep-alive that ends when it likes, its compression, ranges and HTTP/2.

use std::path::Path;

use egret_tests::client::{APPLICATION_UID, curl};
use egret_tests::netns::Host;
use egret_tests::nginx::Nginx;
use egret_tests::objects::{DestinationRule, ServiceEntry, documents};
use egret_tests::places::{ELSEWHERE, Family, Located, SLEEP};
use egret_tests::process::Process;
use egret_tests::topology::World;

use crate::helpers::stage;
use crate::helpers::stage::field;

/// Plain HTTP on port 80; on 8443 what goes out as HTTP/2 over TLS.
fn config() -> String {
    let entry = ServiceEntry::new("elsewhere.example");
    let tls = "{portLevelSettings: [{port: {number: 8443}, tls: {mode: SIMPLE}}]}";
    documents(&[
        &entry.port(80, "HTTP").port_to(8443, "HTTP2", 443),
        &DestinationRule::new("elsewhere.example", tls),
    ])
}

const PLAIN: &str = "http://elsewhere.example";
const HTTP2: &str = "http://elsewhere.example:8443";

/// Bytes that no compressor makes much smaller, and no mistake makes equal.
fn content(bytes: usize) -> Vec<u8> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..bytes).map(|_| next()).collect()
}

/// Runs a line of shell in the pod, as its application; gives its output.
fn shell(pod: &Host, line: &str) -> anyhow::Result<String> {
    let command = pod.command(APPLICATION_UID, Path::new("sh"), &["-c", line]);
    let finished = Process::run(pod, command)?;
    anyhow::ensure!(finished.errors.is_empty(), "{line}: {finished:?}");
    Ok(finished.output)
}

fn staged(
    name: &str,
    settings: &str,
    test: impl FnOnce(&Host, &Nginx, &egret_tests::egret::Proxy<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let world = World::new(name, Family::V4)?;
    let pair = world
        .authority
        .pair(&[ELSEWHERE.name], egret_tests::certs::NOW)?;
    let nginx = Nginx::start(&world, ELSEWHERE.v4(), Some(&pair), settings)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered("nginx.yaml", &config())?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    test(&pod, &nginx, &sidecar)
}

#[test]
fn files_pass_both_ways() -> anyhow::Result<()> {
    staged("nginx-files", "", |pod, nginx, _| {
        let large = content(40 << 20);
        nginx.file("large", &large)?;
        let sum = |url: &str, options: &str| {
            shell(pod, &format!("curl -qsS {options} {url} | sha256sum"))
        };
        let known = sum(&format!("{PLAIN}/large"), "")?;
        let put = |name: &str, options: &str, url: &str| -> anyhow::Result<()> {
            // What comes from a pipe has no length beforehand.
            let line = format!(
                "curl -qsS {PLAIN}/large | curl -qsS {options} -T - -w '%{{http_code}}' {url}/put/{name}"
            );
            assert_eq!(shell(pod, &line)?.trim_end(), "201", "{line}");
            assert!(nginx.was_put(name)? == large, "{name} is not what was sent");
            Ok(())
        };
        for (number, (options, url)) in [
            ("--http1.1", PLAIN),
            ("--http2-prior-knowledge", PLAIN),
            ("--http1.1", HTTP2),
            ("--http2-prior-knowledge", HTTP2),
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(
                sum(&format!("{url}/large"), options)?,
                known,
                "{options} {url}"
            );
            put(&number.to_string(), options, url)?;
        }
        Ok(())
    })
}

#[test]
fn conditions_ranges_heads_and_compression_pass() -> anyhow::Result<()> {
    let settings = "gzip on; gzip_types text/plain; gzip_min_length 10; default_type text/plain;";
    staged("nginx-forms", settings, |pod, nginx, _| {
        let text = "one line and another\n".repeat(2000);
        nginx.file("text", text.as_bytes())?;
        for (version, base) in [
            ("--http1.1", PLAIN),
            ("--http2-prior-knowledge", PLAIN),
            ("--http1.1", HTTP2),
            ("--http2-prior-knowledge", HTTP2),
        ] {
            let url = format!("{base}/text");
            let call = |options: &[&str]| curl(pod, &[&[version, &url], options].concat());
            let whole = call(&[])?;
            assert_eq!((whole.status, &whole.body), (200, &text));
            let length = text.len().to_string();
            assert_eq!(whole.header("content-length"), Some(&*length));

            let head = call(&["-I"])?;
            assert_eq!((head.status, head.exit, &*head.body), (200, 0, ""));
            assert_eq!(head.header("content-length"), Some(&*length));

            let part = call(&["-r", "9-15"])?;
            assert_eq!((part.status, &*part.body), (206, "and ano\n"));
            let place = format!("bytes 9-15/{length}");
            assert_eq!(part.header("content-range"), Some(&*place));
            assert_eq!(call(&["-r", "999999-"])?.status, 416);

            let tag = whole.header("etag").unwrap_or_default();
            let same = call(&["-H", &format!("If-None-Match: {tag}")])?;
            assert_eq!((same.status, same.exit, &*same.body), (304, 0, ""));
            let date = whole.header("last-modified").unwrap_or_default();
            let same = call(&["-H", &format!("If-Modified-Since: {date}")])?;
            assert_eq!(same.status, 304);

            let packed = call(&["--compressed"])?;
            assert_eq!((packed.status, &packed.body), (200, &text));
            assert_eq!(packed.header("content-encoding"), Some("gzip"));
            assert_eq!(packed.header("content-length"), None);
        }
        let requests = nginx.process.output.all();
        let protocol = |line: &str| line.split(' ').nth(2).unwrap_or_default().to_owned();
        assert!(
            requests.iter().any(|line| protocol(line) == "HTTP/2.0"),
            "{requests:?}"
        );
        // Answers without a body do their connection no harm.
        let known = requests.len();
        let url = format!("{PLAIN}/text");
        curl(pod, &["-I", &url, &url, &url, &url])?;
        let heads = nginx.process.output.all().split_off(known);
        let connection = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
        assert_eq!(heads.len(), 4);
        assert!(
            heads
                .iter()
                .all(|line| connection(line) == connection(&heads[0])),
            "{heads:?}"
        );
        Ok(())
    })
}

#[test]
fn a_connection_that_nginx_ends_costs_no_request() -> anyhow::Result<()> {
    staged(
        "nginx-keepalive",
        "keepalive_requests 7;",
        |pod, nginx, sidecar| {
            nginx.file("small", b"small")?;
            for (name, base) in [("plain", PLAIN), ("http2", HTTP2)] {
                let many = format!("{base}/small?{name}[1-100]");
                let format = "%{http_code} ";
                for (body, good) in [(&[][..], "200 "), (&["-d", "a=b"], "405 ")] {
                    let answers = curl(
                        pod,
                        &[&["-o", "/dev/null", "-w", format, &many], body].concat(),
                    )?;
                    // Nothing of it is an answer's head: all is in the format.
                    let all = format!("{}{}", answers.status_line, answers.body);
                    assert_eq!(all.trim_end(), good.repeat(100).trim_end(), "{answers:?}");
                }
                let load = [
                    "--no-tls-proto=h2c",
                    "-n",
                    "700",
                    "-c",
                    "2",
                    "-m",
                    "20",
                    &format!("{base}/small"),
                ];
                let command = pod.command(APPLICATION_UID, Path::new("h2load"), &load);
                let finished = Process::run(pod, command)?;
                let failed = sidecar
                    .access_log()
                    .into_iter()
                    .find(|line| field(line, "response_flags") != "-");
                assert_eq!(failed, None);
                assert!(
                    finished.output.contains("status codes: 700 2xx"),
                    "{base}: {finished:?}"
                );
            }
            Ok(())
        },
    )
}

/// nginx closes as soon as nothing is asked for a moment, so that a request is often on its way to a closed connection.
#[test]
fn a_connection_that_nginx_closes_while_idle_costs_no_request() -> anyhow::Result<()> {
    staged("nginx-idle", "keepalive_timeout 3ms;", |pod, nginx, _| {
        nginx.file("small", b"small")?;
        for base in [PLAIN, HTTP2] {
            let line = format!(
                "for i in $(seq 60); do curl -qsS -o /dev/null -w '%{{http_code}} ' {base}/small; done"
            );
            let all = shell(pod, &line)?;
            assert_eq!(all.trim_end(), "200 ".repeat(60).trim_end(), "{base}");
        }
        let requests = nginx.process.output.all();
        let of_connection = |line: &String| line.split(' ').next().map(str::to_owned);
        let connections: std::collections::BTreeSet<_> =
            requests.iter().filter_map(of_connection).collect();
        assert!(connections.len() > 10, "it did close: {connections:?}");
        Ok(())
    })
}

#[test]
fn an_upload_that_nginx_refuses_early_is_answered() -> anyhow::Result<()> {
    staged("nginx-refusal", "", |pod, _, _| {
        for version in ["--http1.1", "--http2-prior-knowledge"] {
            for base in [PLAIN, HTTP2] {
                // More than nginx takes here (1 MB), told beforehand, so that it does not wait for the body.
                let line = format!(
                    "head -c 8000000 /dev/zero | curl -qs {version} -H 'Expect:' --data-binary @- \
                     -o /dev/null -w '%{{http_code}}' {base}/small"
                );
                for _ in 0..5 {
                    assert_eq!(shell(pod, &line)?.trim_end(), "413", "{line}");
                }
            }
        }
        Ok(())
    })
}
