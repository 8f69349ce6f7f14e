//! Formats, providers and filters of the access log, and what strangers put into it.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use egret_tests::DEADLINE;
use egret_tests::client::curl;
use egret_tests::egret::INJECTED;
use egret_tests::folder::Folder;
use egret_tests::netns::Host;
use egret_tests::objects::MeshConfig;
use egret_tests::origin::httpbin;
use egret_tests::places::{CNN, EGRESS_GATEWAY, Family, HTTPBIN_ORG, Located, SLEEP};
use egret_tests::topology::World;
use serde_json::{Value, json};

use crate::helpers::stage;
use crate::helpers::stage::services;
use crate::tls::origination;

fn mesh(config: &Folder, format: &str) -> anyhow::Result<()> {
    let mesh = MeshConfig::new()
        .set("accessLogFile: /dev/stdout")
        .set(&format!("accessLogFormat: '{format}'"));
    config.write("mesh.yaml", &mesh.to_string())?;
    Ok(())
}

#[test]
fn each_provider_has_its_format_and_its_filter() -> anyhow::Result<()> {
    let world = World::new("log-providers", Family::V4)?;
    let _origin = world.http(HTTPBIN_ORG, 80, &httpbin())?;
    let pod = world.pod(SLEEP, "default")?;
    let logs = world.folder().join("access");
    fs::create_dir(&logs)?;
    fs::set_permissions(&logs, fs::Permissions::from_mode(0o777))?;
    let file = logs.join("labels.json");
    let mesh = MeshConfig::new()
        .set("accessLogFile: /dev/stdout")
        .set("accessLogFormat: 'not in force'")
        .set(&format!(
            "extensionProviders: [{{name: text, envoyFileAccessLog: {{path: /dev/stdout, logFormat: {{text: \
             '%REQ(:METHOD)% %REQ(X-NONE?:PATH):7% %RESPONSE_CODE% %REQ(x-kind)% %BYTES_RECEIVED%'}}}}}}, \
             {{name: labels, envoyFileAccessLog: {{path: {}, logFormat: {{labels: {{code: '%RESPONSE_CODE%', \
             of: {{method: '%REQ(:METHOD)%', none: '%REQ(x-none)%'}}, mixed: 'a %RESPONSE_CODE%'}}}}}}}}]",
            file.display()
        ));
    let config = Folder::with(&[services(Family::V4)])?;
    config.write("mesh.yaml", &mesh.to_string())?;
    config.write(
        "telemetry.yaml",
        "apiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {name: logs, namespace: istio-system}\nspec:\n  \
         accessLogging:\n  - providers: [{name: text}]\n    filter: {expression: 'response.code >= 400'}\n  \
         - providers: [{name: labels}]\n",
    )?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let kind = ["-H", "x-kind: tea"];
    for (status, url) in [
        (200, "http://httpbin.org/status/200"),
        (418, "http://httpbin.org/status/418"),
    ] {
        let answer = curl(&pod, &[kind[0], kind[1], "-d", "12345", url])?;
        assert_eq!(answer.status, status);
    }
    sidecar.output.await_one(|line| line.contains("418"))?;
    let output = sidecar.output.clone();
    assert_eq!(sidecar.terminate()?, 0);
    assert_eq!(output.all(), ["POST /status 418 tea 5"]);
    let labels = fs::read_to_string(&file)?;
    let lines: Result<Vec<Value>, _> = labels.lines().map(serde_json::from_str).collect();
    let line = |code: u16| json!({"code": code, "of": {"method": "POST", "none": null}, "mixed": format!("a {code}")});
    assert_eq!(lines?, [line(200), line(418)]);
    Ok(())
}

/// Sends bytes to httpbin.org and reads to the end of what comes back.
fn sent(pod: &Host, bytes: &'static [u8]) -> anyhow::Result<Vec<u8>> {
    pod.run(|| {
        let mut stream = TcpStream::connect((HTTPBIN_ORG.v4(), 80))?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.write_all(bytes)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    })
}

#[test]
fn strangers_cannot_forge_lines() -> anyhow::Result<()> {
    let world = World::new("log-forged", Family::V4)?;
    let _origin = world.http(HTTPBIN_ORG, 80, &httpbin())?;
    let pod = world.pod(SLEEP, "default")?;
    for (encoding, expected) in [
        ("TEXT", "begin a\\x09b\\\" \u{fffd} end".to_owned()),
        (
            "JSON",
            json!({"kind": "a\tb\" \u{fffd}", "path": "/get?%0a%1b[31m"}).to_string(),
        ),
    ] {
        let config = Folder::with(&[services(Family::V4)])?;
        let format = match encoding {
            "TEXT" => "begin %REQ(x-kind)% end",
            _ => r#"{"kind": "%REQ(x-kind)%", "path": "%REQ(:PATH)%"}"#,
        };
        mesh(&config, format)?;
        let text = fs::read_to_string(config.path().join("mesh.yaml"))?;
        let text = text.replace(
            "accessLogFile:",
            &format!("accessLogEncoding: {encoding}\n    accessLogFile:"),
        );
        config.write("mesh.yaml", &text)?;
        stage::redirect(&world, &pod, &INJECTED)?;
        let sidecar = stage::sidecar_settings(&world, "default")
            .config(config.path())
            .start(&world, &pod)?;
        let request = b"GET /get?%0a%1b[31m HTTP/1.1\r\nhost: httpbin.org\r\nconnection: close\r\nx-kind: a\tb\" \xff\r\n\r\n";
        let answer = sent(&pod, request)?;
        let answer = String::from_utf8(answer)?;
        assert!(answer.contains("x-envoy-upstream-service-time"), "{answer}");
        // A line break in a header ends the header: nothing that could reach the log.
        let request = b"GET / HTTP/1.1\r\nhost: httpbin.org\r\nx-kind: a\rforged line\r\n\r\n";
        assert!(sent(&pod, request)?.starts_with(b"HTTP/1.1 400 "));
        sidecar.output.await_one(|line| *line == expected)?;
        let output = sidecar.output.clone();
        assert_eq!(sidecar.terminate()?, 0);
        for line in output.all() {
            assert!(
                !line.contains("forged") && !line.contains('\u{1b}'),
                "{line}"
            );
        }
    }
    Ok(())
}

#[test]
fn connections_to_endpoints_are_described() -> anyhow::Result<()> {
    let world = World::new("log-upstream", Family::V4)?;
    let _origin = world.https(
        CNN,
        world.authority.server(&[CNN.name])?,
        &origination::politics(),
    )?;
    let pod = world.pod(SLEEP, "default")?;
    let gateway_pod = world.gateway_pod(EGRESS_GATEWAY)?;
    let config = Folder::with(&origination::ALL)?;
    config.remove(&[origination::ALL[0]])?;
    mesh(
        &config,
        "%REQ(:PATH)% %UPSTREAM_TLS_VERSION% %UPSTREAM_TLS_CIPHER% %UPSTREAM_PEER_DNS_SAN% %UPSTREAM_HOST_NAME% \
         %UPSTREAM_CONNECTION_ID% %DOWNSTREAM_TLS_VERSION%",
    )?;
    let gateway = stage::egress_gateway(&world, &gateway_pod, &config)?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let answer = curl(&pod, &[origination::URL, origination::URL])?;
    assert_eq!(answer.status, 200);
    let line = gateway
        .output
        .await_one(|line| line.starts_with("/politics"))?;
    let fields: Vec<&str> = line.split(' ').collect();
    assert_eq!(fields[1], "TLSv1.3", "{line}");
    assert!(fields[2].starts_with("TLS_AES_"), "{line}");
    assert_eq!(fields[3..5], [CNN.name, CNN.name], "{line}");
    assert!(fields[5].parse::<u64>()? > 0 && fields[6] == "-", "{line}");
    let output = gateway.output.clone();
    assert_eq!(gateway.terminate()?, 0);
    let again = output.all();
    assert_eq!(again.len(), 2, "{again:?}");
    assert_eq!(again[0], again[1], "one connection for both");
    let line = sidecar
        .output
        .await_one(|line| line.starts_with("/politics"))?;
    assert!(line.starts_with("/politics - - - "), "{line}");
    Ok(())
}
