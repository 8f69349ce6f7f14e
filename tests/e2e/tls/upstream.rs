//! TLS towards real servers: nginx's HTTP/2, OpenSSL's sessions, credentials with their authorities beside them.

use std::path::Path;

use egret_tests::certs::{Authority, NOW};
use egret_tests::client::curl;
use egret_tests::nginx;
use egret_tests::objects::{DestinationRule, ServiceEntry, documents};
use egret_tests::places::{CNN, Family, Located, SLEEP};
use egret_tests::process::Process;
use egret_tests::topology::World;

use crate::helpers::stage;
use crate::helpers::stage::{field, until};
use crate::helpers::tls_stage::authority_secret;

/// The origin, called on port 80 and dialled on 443, and what its DestinationRule says.
fn shop(protocol: &str, tls: &str) -> String {
    let entry = ServiceEntry::new("shop.example");
    documents(&[
        &entry.port_to(80, protocol, 443).at([CNN.v4()]),
        &DestinationRule::new("shop.example", &format!("{{tls: {tls}}}")),
    ])
}

/// Writes a certificate for the shop and its key; gives their paths.
fn files(world: &World, authority: &Authority) -> anyhow::Result<[String; 2]> {
    let pair = authority.pair(&["shop.example"], NOW)?;
    let paths = ["shop.crt", "shop.key"].map(|name| world.folder().join(name));
    std::fs::write(&paths[0], &pair.certificate)?;
    std::fs::write(&paths[1], &pair.key)?;
    Ok(paths.map(|path| path.display().to_string()))
}

fn nginx_with(world: &World, listen: &str) -> anyhow::Result<Process> {
    let [certificate, key] = files(world, &world.authority)?;
    let server = format!(
        "  server {{ listen {}:443 {listen}; ssl_certificate {certificate}; ssl_certificate_key {key};\n  \
         return 200 \"$server_protocol $ssl_server_name $connection\"; }}",
        CNN.v4()
    );
    nginx::serve(world, &server)
}

#[test]
fn http2_is_agreed_on_inside_tls() -> anyhow::Result<()> {
    let world = World::new("tls-upstream-h2", Family::V4)?;
    let _nginx = nginx_with(&world, "ssl http2")?;
    world.resolve("shop.example", &[CNN.v4()]);
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered("shop.yaml", &shop("HTTP2", "{mode: SIMPLE}"))?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let url = "http://shop.example/";
    // One client connection, so one worker, and one connection of HTTP/2 for all requests.
    let answer = curl(&pod, &["-s", "-w", "\n", url, url, url])?;
    assert_eq!(answer.status, 200, "{answer:?}\n{}", sidecar.everything());
    let said: Vec<_> = answer
        .body
        .lines()
        .filter(|line| line.contains("HTTP/2.0"))
        .collect();
    assert!(
        !said.is_empty() && said.iter().all(|line| line.contains("shop.example")),
        "{answer:?}"
    );

    // A port of HTTP/1.1 announces nothing, and is answered so.
    config.write("shop.yaml", &shop("HTTP", "{mode: SIMPLE}"))?;
    until(|| {
        Ok(curl(&pod, &[url])?
            .body
            .starts_with("HTTP/1.1 shop.example"))
    })
}

#[test]
fn a_server_without_http2_is_told_of() -> anyhow::Result<()> {
    let world = World::new("tls-upstream-no-h2", Family::V4)?;
    let _nginx = nginx_with(&world, "ssl")?;
    world.resolve("shop.example", &[CNN.v4()]);
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered("shop.yaml", &shop("HTTP2", "{mode: SIMPLE}"))?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let answer = curl(&pod, &["http://shop.example/"])?;
    assert!([502, 503].contains(&answer.status), "{answer:?}");
    let line = sidecar.await_access(|line| field(line, "authority") == "shop.example")?;
    assert_ne!(field(&line, "response_flags"), "-", "{line:#}");
    Ok(())
}

#[test]
fn sessions_are_taken_up_again() -> anyhow::Result<()> {
    let world = World::new("tls-upstream-resumed", Family::V4)?;
    world.resolve("shop.example", &[CNN.v4()]);
    let [certificate, key] = files(&world, &world.authority)?;
    let at = format!("{}:443", CNN.v4());
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered("shop.yaml", &shop("HTTP", "{mode: SIMPLE}"))?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    for version in ["-tls1_3", "-tls1_2"] {
        let arguments = [
            "s_server",
            "-accept",
            &at,
            "-cert",
            &certificate,
            "-key",
            &key,
            "-www",
            version,
        ];
        let command = world.internet.command(0, Path::new("openssl"), &arguments);
        let server = Process::start(&world.internet, command, None)?;
        server.output.await_one(|line| line.contains("ACCEPT"))?;
        let newest = format!("TLSv1.{}", &version[6..]);
        // The page of each call is about its own connection, and ends with it.
        let page = || Ok::<_, anyhow::Error>(curl(&pod, &["http://shop.example/"])?.body);
        let first = page()?;
        assert!(first.contains(&format!("New, {newest}")), "{first}");
        until(|| Ok(page()?.contains(&format!("Reused, {newest}"))))?;
    }
    Ok(())
}

#[test]
fn authorities_stand_in_a_secret_beside() -> anyhow::Result<()> {
    let world = World::new("tls-upstream-cacert", Family::V4)?;
    world.resolve("shop.example", &[CNN.v4()]);
    let servers = Authority::new("authority of servers")?;
    let [certificate, key] = files(&world, &servers)?;
    let server = format!(
        "  server {{ listen {}:443 ssl; ssl_certificate {certificate}; ssl_certificate_key {key}; return 200 ok; }}",
        CNN.v4()
    );
    let _nginx = nginx::serve(&world, &server)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered(
        "shop.yaml",
        &shop("HTTP", "{mode: SIMPLE, credentialName: shop}"),
    )?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let call = || Ok::<_, anyhow::Error>(curl(&pod, &["http://shop.example/"])?.status);
    assert_eq!(call()?, 503);
    sidecar.await_access(|line| {
        field(line, "upstream_transport_failure_reason").contains("no Secret called \"shop\"")
    })?;
    let secret = |pem: &str| {
        config.write(
            "secret.yaml",
            &authority_secret("shop-cacert", "cacert", pem),
        )
    };
    secret(world.authority.pem())?;
    sidecar.await_log(&["configuration"])?;
    until(|| {
        let known = sidecar.output.len();
        assert_eq!(call()?, 503);
        let line = sidecar.await_access_from(known, |_| true)?;
        Ok(line
            .to_string()
            .contains("not signed by a trusted authority"))
    })?;
    secret(servers.pem())?;
    until(|| Ok(call()? == 200))
}
