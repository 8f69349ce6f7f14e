use super::*;

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
        Command::Version => panic!("{line} was read as version"),
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
    assert_eq!(settings.drain_time, Duration::from_secs(5));
    assert!((1..=2).contains(&settings.threads.get()));
    assert_eq!(log.filter.to_string(), "info");
    assert_eq!(log.format, LogFormat::Text);
    let mut own = settings.workload.own_ports;
    own.sort_unstable();
    assert_eq!(own, [15000, 15001, 15006, 15021]);
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
    assert_eq!(settings.drain_time, Duration::from_secs(90));
    assert_eq!(log.format, LogFormat::Json);
    // A gateway does not listen where a sidecar does, so a Gateway object may ask for those ports.
    assert_eq!(settings.workload.own_ports, [16000, 16021]);
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
        ("run --nonsense", "--nonsense"),
        ("run stray", "stray"),
        ("run --namespace=", "--namespace"),
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
    for line in ["--help", "run --help", "--version"] {
        assert_eq!(
            read_with(line, &[]).expect_err(line).exit_code(),
            0,
            "{line}"
        );
    }
    let argv = ["egret-proxy", "version"].map(OsString::from);
    assert!(matches!(read(argv, |_| None), Ok(Command::Version)));
}
