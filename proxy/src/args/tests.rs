use std::path::Path;

use super::*;
use crate::life::end::DrainTime;

fn read_with(line: &str, variables: &[(&str, &str)]) -> Result<(Settings, Log), clap::Error> {
    let argv = std::iter::once("egret-proxy")
        .chain(line.split_whitespace())
        .map(OsString::from);
    let variables: Vec<(String, String)> = variables
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect();
    let environment = move |name: &str| {
        variables
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.clone())
    };
    match read(argv, environment)? {
        Command::Run(settings, log) => Ok((*settings, *log)),
        other => panic!("{line} was read as {other:?}"),
    }
}

fn settings(line: &str) -> (Settings, Log) {
    read_with(line, &[]).unwrap_or_else(|error| panic!("{line}: {error}"))
}

#[test]
fn run_alone_has_istios_defaults() {
    let (settings, log) = settings("run");
    assert_eq!(settings.workload.mode, Mode::Sidecar);
    assert_eq!(&*settings.workload.namespace, "default");
    assert!(settings.workload.labels.is_empty() && settings.workload.addresses.is_empty());
    assert_eq!(
        (settings.outbound_port, settings.inbound_port),
        (15001, 15006)
    );
    assert_eq!(settings.admin.to_string(), "127.0.0.1:15000");
    assert_eq!(settings.health.to_string(), "0.0.0.0:15021");
    assert_eq!(settings.drain_time, DrainTime::default());
    assert!((1..=2).contains(&settings.threads.get()));
    assert_eq!(log.filter.to_string(), "info");
    assert_eq!(log.format, LogFormat::Text);
    assert_eq!(settings.workload.own_ports, [15000, 15020, 15021, 15090]);
    assert_eq!(settings.workload.redirect_ports, [15001, 15006]);
    assert!(!settings.workload.dns_capture);
    assert_eq!(settings.dns_port, 15053);
}

#[test]
fn dns_capture_is_set_by_flag_or_as_istio_does() {
    let captures = |line: &str, value: &str| {
        let (settings, _) = read_with(line, &[("ISTIO_META_DNS_CAPTURE", value)])?;
        Ok::<_, clap::Error>((settings.workload.dns_capture, settings.dns_port))
    };
    for (line, value, expected) in [
        ("run", "", (false, 15053)),
        ("run", "true", (true, 15053)),
        ("run", "False", (false, 15053)),
        ("run --dns-capture --dns-port 16053", "false", (true, 16053)),
        ("run --mode gateway --dns-capture", "", (false, 15053)),
    ] {
        assert_eq!(captures(line, value).ok(), Some(expected), "{line} {value}");
    }
    let error = captures("run", "yes").expect_err("not a truth value");
    assert!(
        error.to_string().contains("ISTIO_META_DNS_CAPTURE"),
        "{error}"
    );
}

#[test]
fn the_probes_port_is_known_as_egret_init_knows_it() {
    for (line, value, expected) in [
        ("run", "", 15002),
        ("run", "16002", 16002),
        ("run", "many", 15002),
        ("run --iptables-probe-port 17002", "16002", 17002),
    ] {
        let (settings, _) = read_with(line, &[("IPTABLES_PROBE_PORT", value)]).expect("settings");
        assert_eq!(settings.probe_port, expected, "{line} {value}");
    }
    assert!(read_with("run --iptables-probe-port 0", &[]).is_err());
}

#[test]
fn every_flag_arrives() {
    let (settings, log) = settings(
        "run --mode gateway --namespace istio-system --labels istio=egressgateway,app=gw --pod-ip 10.34.0.141 \
         --pod-ip 2001:db8::1 --config a.yaml --config /etc/egret --mesh-config mesh.yaml --outbound-port 16001 \
         --inbound-port 16006 --admin [::1]:16000 --health 127.0.0.1:16021 --threads 3 --drain-time 1m30s \
         --log-level warn,egret_proxy=debug --log-format json",
    );
    assert_eq!(settings.workload.mode, Mode::Gateway);
    assert_eq!(&*settings.workload.namespace, "istio-system");
    assert_eq!(
        settings.workload.labels.value("istio"),
        Some("egressgateway")
    );
    assert_eq!(settings.workload.addresses.len(), 2);
    assert_eq!(
        settings.source.paths,
        [PathBuf::from("a.yaml"), PathBuf::from("/etc/egret")]
    );
    assert_eq!(
        settings.source.mesh_config,
        Some(PathBuf::from("mesh.yaml"))
    );
    assert_eq!(
        (settings.outbound_port, settings.inbound_port),
        (16001, 16006)
    );
    assert_eq!(settings.admin.to_string(), "[::1]:16000");
    assert_eq!(settings.health.to_string(), "127.0.0.1:16021");
    assert_eq!(settings.threads.get(), 3);
    assert_eq!(settings.drain_time.own, Some(Duration::from_secs(90)));
    assert_eq!(log.format, LogFormat::Json);
    // A gateway does not listen where a sidecar does, so a Gateway object may ask for those ports.
    assert_eq!(settings.workload.own_ports, [16000, 15020, 16021, 15090]);
    assert_eq!(settings.workload.redirect_ports, Vec::<u16>::new());
}

#[test]
fn the_environment_fills_in_and_flags_beat_it() {
    let variables = [
        ("POD_NAMESPACE", "shop"),
        ("INSTANCE_IP", "10.0.0.1, 2001:db8::2"),
        ("RUST_LOG", "warn"),
    ];
    let (filled, log) = read_with("run", &variables).expect("settings");
    assert_eq!(&*filled.workload.namespace, "shop");
    assert_eq!(filled.workload.addresses.len(), 2);
    assert_eq!(log.filter.to_string(), "warn");
    let (beaten, log) = read_with(
        "run --namespace other --pod-ip 10.0.0.9 --log-level error",
        &variables,
    )
    .expect("settings");
    assert_eq!(&*beaten.workload.namespace, "other");
    assert_eq!(
        beaten.workload.addresses,
        ["10.0.0.9".parse::<IpAddr>().expect("address")]
    );
    assert_eq!(log.filter.to_string(), "error");
    let (empty, _) = read_with(
        "run",
        &[("POD_NAMESPACE", ""), ("INSTANCE_IP", ""), ("RUST_LOG", "")],
    )
    .expect("settings");
    assert_eq!(&*empty.workload.namespace, "default");
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for (line, names) in [
        ("", "Usage"),
        ("walk", "walk"),
        ("run --mode sidekick", "sidekick"),
        ("run --labels app", "app"),
        ("run --pod-ip pod", "pod"),
        ("run --outbound-port 0", "--outbound-port"),
        ("run --outbound-port 70000", "70000"),
        ("run --outbound-port 15006", "15006"),
        ("run --admin 15000", "--admin"),
        ("run --threads 0", "--threads"),
        ("run --threads many", "many"),
        ("run --drain-time soon", "soon"),
        ("run --log-level egret_proxy=loud", "loud"),
        ("run --log-level wran", "did you mean `warn`?"),
        ("run --nonsense", "--nonsense"),
        ("run stray", "stray"),
        ("run --namespace=", "--namespace"),
        ("check", "--config"),
        ("check --config", "--config"),
        ("check stray.yaml", "stray.yaml"),
        ("check --config a.yaml --output xml", "xml"),
        ("explain", "--to"),
        ("explain --to 1.2.3.4:80", "--protocol"),
        ("explain --protocol http", "--to"),
        ("explain --to 1.2.3.4 --protocol http", "IP:PORT"),
        ("explain --to 1.2.3.4:80 --protocol quic", "quic"),
        (
            "explain --to 1.2.3.4:80 --protocol http --header x",
            "name: value",
        ),
        (
            "explain --to 1.2.3.4:80 --protocol http --calls f",
            "--calls",
        ),
        (
            "explain --to 1.2.3.4:80 --protocol http --namespace=",
            "--namespace",
        ),
        (
            "explain --to 1.2.3.4:80 --protocol http --mode both",
            "both",
        ),
    ] {
        let error = read_with(line, &[]).expect_err(line);
        assert_eq!(error.exit_code(), 2, "{line}");
        assert!(error.to_string().contains(names), "{line}: {error}");
    }
    let error = read_with("run", &[("INSTANCE_IP", "pod")]).expect_err("no address");
    assert!(
        error.to_string().contains("INSTANCE_IP") && error.exit_code() == 2,
        "{error}"
    );
}

#[test]
fn help_and_version_are_no_errors() {
    for line in [
        "--help",
        "run --help",
        "explain --help",
        "check --help",
        "--version",
    ] {
        assert_eq!(
            read_with(line, &[]).expect_err(line).exit_code(),
            0,
            "{line}"
        );
    }
    let argv = ["egret-proxy", "version"].map(OsString::from);
    assert!(matches!(read(argv, |_| None), Ok(Command::Version)));
}

fn explained(line: &str) -> crate::commands::explain::Options {
    let argv = std::iter::once("egret-proxy")
        .chain(line.split_whitespace())
        .map(OsString::from);
    match read(argv, |_| None) {
        Ok(Command::Explain(options)) => *options,
        other => panic!("{line} was read as {other:?}"),
    }
}

#[test]
fn flags_of_explain_are_read() {
    let options = explained(
        "explain --config a.yaml b --config c --mesh-config m.yaml --mode gateway --namespace istio-system --labels \
         istio=egressgateway --pod-ip 10.0.0.1 --dns-capture --to 10.0.0.1:443 --protocol https --host a.com --sni b.com \
         --alpn h2,http/1.1 --method POST --path /x --header a:1 --header b:2 --output json",
    );
    assert_eq!(
        options.source.paths,
        ["a.yaml", "b", "c"].map(PathBuf::from)
    );
    assert_eq!(options.source.mesh_config, Some(PathBuf::from("m.yaml")));
    assert_eq!(options.workload.mode, Mode::Gateway);
    assert_eq!(&*options.workload.namespace, "istio-system");
    assert_eq!(options.workload.own_ports, [15000, 15020, 15021, 15090]);
    assert!(options.dns_capture);
    assert_eq!(options.output, crate::commands::explain::Output::Json);
    let crate::commands::explain::Calls::One(call) = options.calls else {
        panic!("one call");
    };
    assert_eq!(
        (call.host.as_deref(), call.sni.as_deref()),
        (Some("a.com"), Some("b.com"))
    );
    assert_eq!(call.alpn, ["h2", "http/1.1"]);
    assert_eq!((&*call.method, &*call.path), ("POST", "/x"));
    assert_eq!(call.headers.len(), 2);
}

#[test]
fn explain_needs_little() {
    let options = explained("explain --config a.yaml --to 1.2.3.4:80 --protocol tcp");
    assert_eq!(options.workload.mode, Mode::Sidecar);
    assert_eq!(&*options.workload.namespace, "default");
    assert_eq!(options.workload.own_ports, [15000, 15020, 15021, 15090]);
    assert_eq!(options.workload.redirect_ports, [15001, 15006]);
    let options = explained("explain --mesh-config m.yaml --calls - --output json");
    assert!(
        matches!(options.calls, crate::commands::explain::Calls::File(path) if path == Path::new("-"))
    );
}

#[test]
fn flags_of_check_are_read() {
    let argv = "egret-proxy check --config a.yaml b.yaml --output json";
    let argv = argv.split_whitespace().map(OsString::from);
    let Ok(Command::Check(options)) = read(argv, |_| None) else {
        panic!("check");
    };
    assert_eq!(options.source.paths.len(), 2);
    assert_eq!(options.output, crate::commands::check::Output::Json);
}
