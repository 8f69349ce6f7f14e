//! Tests of the command line and the environment.

use super::*;

/// Splits at blanks; `''` stands for an empty argument.
fn parse(line: &str, variables: &[(&str, &str)]) -> Result<Request, clap::Error> {
    let environment = |name: &str| {
        variables
            .iter()
            .find(|(own, _)| *own == name)
            .map(|(_, value)| (*value).to_owned())
    };
    let arguments = line
        .split_whitespace()
        .map(|argument| if argument == "''" { "" } else { argument });
    Request::parse(std::iter::once("egret-init").chain(arguments), &environment)
}

fn flags(line: &str, variables: &[(&str, &str)]) -> Flags {
    match parse(line, variables).unwrap() {
        Request::Apply(flags) => *flags,
        other => panic!("{line} asks for {other:?}"),
    }
}

#[test]
fn injector_defaults() {
    let line = "istio-iptables -p 15001 -z 15006 -u 1337 -m REDIRECT -i * -x '' -b * -d 15090,15021,15020 \
                --log_output_level=default:info";
    let flags = flags(line, &[]);
    assert_eq!(flags.envoy_port, "15001");
    assert_eq!(flags.inbound_capture_port, "15006");
    assert_eq!(flags.inbound_tunnel_port, "15008");
    assert_eq!(flags.proxy_uid, "1337");
    assert_eq!(flags.proxy_gid, "");
    assert_eq!(flags.interception_mode, "REDIRECT");
    assert_eq!(flags.service_cidr, "*");
    assert_eq!(flags.service_exclude_cidr, "");
    assert_eq!(flags.inbound_ports, "*");
    assert_eq!(flags.local_exclude_ports, "15090,15021,15020");
    assert_eq!(flags.owner_groups, "*");
    assert_eq!(flags.ipv4_loopback_cidr, "127.0.0.1/32");
    assert_eq!(flags.envoy_user, "istio-proxy");
    assert!(!flags.dry_run && !flags.dual_stack && !flags.redirect_dns);
}

/// One row for each way of writing a value.
#[test]
fn spellings_of_values() {
    for line in [
        "-p 1",
        "-p1",
        "-p=1",
        "--envoy-port 1",
        "--envoy-port=1",
        "-p 2 -p 1",
        "-p 2 --envoy-port 1",
    ] {
        assert_eq!(flags(line, &[]).envoy_port, "1", "{line}");
    }
    for line in [
        "-n",
        "-n=true",
        "--dry-run",
        "--dry-run=T",
        "--dry-run=1",
        "-n=false -n",
    ] {
        assert!(flags(line, &[]).dry_run, "{line}");
    }
    for line in ["", "-n=false", "--dry-run=F", "-n -n=0"] {
        assert!(!flags(line, &[]).dry_run, "{line}");
    }
    assert_eq!(flags("-d -1", &[]).local_exclude_ports, "-1");
}

#[test]
fn variables_replace_defaults_and_flags_win() {
    let variables = [
        ("ISTIO_SERVICE_CIDR", "10.0.0.0/8"),
        ("PROXY_UID", ""),
        ("ENVOY_PORT", "9"),
    ];
    assert_eq!(flags("", &variables).service_cidr, "10.0.0.0/8");
    assert_eq!(flags("-i *", &variables).service_cidr, "*");
    assert_eq!(flags("-i ''", &variables).service_cidr, "");
    assert_eq!(
        flags("", &variables).envoy_port,
        "15001",
        "this flag alone has no variable"
    );
}

#[test]
fn boolean_variables() {
    let dual_stack = |variables| flags("", variables).dual_stack;
    assert!(dual_stack(&[("ISTIO_DUAL_STACK", "true")]));
    assert!(dual_stack(&[("DUAL_STACK", "1")]));
    assert!(dual_stack(&[
        ("DUAL_STACK", "false"),
        ("ISTIO_DUAL_STACK", "true")
    ]));
    assert!(
        !dual_stack(&[("DUAL_STACK", "true"), ("ISTIO_DUAL_STACK", "false")]),
        "the later one wins"
    );
    assert!(
        dual_stack(&[("DUAL_STACK", "true"), ("ISTIO_DUAL_STACK", "maybe")]),
        "no boolean counts as absent"
    );
    assert!(!flags("--dual-stack=false", &[("ISTIO_DUAL_STACK", "true")]).dual_stack);
    assert!(flags("", &[("ISTIO_META_DNS_CAPTURE", "true")]).redirect_dns);
    assert!(flags("", &[("INVALID_DROP", "true")]).drop_invalid);
}

/// Variables named like our flags may belong to the application.
#[test]
fn variables_of_others() {
    let variables = [
        ("PROBE_TIMEOUT", "soon"),
        ("IPTABLES_PROBE_PORT", "70000"),
        ("BACKEND", "orders.example:8080"),
        ("IPV6", "true"),
        ("ISTIO_DUAL_STACK", "yes"),
    ];
    let parsed = flags("", &variables);
    assert_eq!(
        parsed.ignored_variables,
        [
            "ISTIO_DUAL_STACK=yes",
            "BACKEND=orders.example:8080",
            "IPV6=true",
            "IPTABLES_PROBE_PORT=70000",
            "PROBE_TIMEOUT=soon",
        ]
    );
    let plain = Flags {
        ignored_variables: Vec::new(),
        ..parsed
    };
    assert_eq!(plain, flags("", &[]));
    assert_eq!(flags("--backend best", &variables).backend, "best");
    assert_eq!(
        flags("--probe-timeout later", &[]).probe_timeout,
        "later",
        "what is typed is not ignored"
    );
}

#[test]
fn variables_of_our_own() {
    let variables = [
        ("BACKEND", "nftables"),
        ("EGRET_BACKEND", "iptables"),
        ("EGRET_IPV6", "block"),
        ("EGRET_BLOCK_QUIC", "true"),
        ("EGRET_STRICT_ISTIO", "false"),
    ];
    let parsed = flags("", &variables);
    assert_eq!((&*parsed.backend, &*parsed.ipv6), ("iptables", "block"));
    assert!(parsed.block_quic && !parsed.strict_istio);
    assert_eq!(flags("--ipv6 on", &variables).ipv6, "on");
    assert!(parsed.ignored_variables.is_empty());
}

/// Each flag takes its value by long name, by short name and from each of its variables.
#[test]
fn every_flag_by_every_name() {
    for flag in FLAGS {
        let set = |line: &str, variables: &[(&str, &str)]| {
            assert!(parse(line, variables).is_ok(), "{line} with {variables:?}");
        };
        let value = if flag.kind == Kind::Switch {
            "=true"
        } else {
            "=7"
        };
        set(&format!("--{}{value}", flag.long), &[]);
        if let Some(short) = flag.short {
            set(&format!("-{short}{value}"), &[]);
        }
        for name in flag.environment {
            set("", &[(name, value.trim_start_matches('='))]);
        }
        let derived = flag.long.to_uppercase().replace('-', "_");
        assert!(
            flag.environment.is_empty() || flag.environment.contains(&derived.as_str()),
            "{}: istio-iptables derives the variable {derived}",
            flag.long
        );
    }
}

#[test]
fn logger_flags_are_accepted() {
    for line in [
        "--log_output_level=default:debug",
        "--log_output_level all:warn",
        "--log_as_json",
        "--log_target stdout",
    ] {
        assert_eq!(flags(line, &[]), flags("", &[]), "{line}");
    }
}

#[test]
fn commands() {
    assert_eq!(parse("version", &[]).unwrap(), Request::Version);
    for (line, variables, dry_run) in [
        ("cleanup", &[][..], false),
        ("cleanup -i * -n", &[], true),
        ("-n cleanup", &[], true),
        ("--cleanup-only -u 5", &[], false),
        ("", &[("CLEANUP_ONLY", "true")], false),
    ] {
        let Request::Cleanup(flags) = parse(line, variables).unwrap() else {
            panic!("{line} is to clean up");
        };
        assert_eq!(flags.dry_run, dry_run, "{line}");
    }
    let Request::Verify(flags) = parse("-i * verify -b *", &[]).unwrap() else {
        panic!("verify is a command");
    };
    assert_eq!((&*flags.service_cidr, &*flags.inbound_ports), ("*", "*"));
}

#[test]
fn questions() {
    let question = |line: &str| match parse(line, &[]).unwrap() {
        Request::Explain(_, question) => question,
        other => panic!("{line} asks for {other:?}"),
    };
    let sent = question("explain --uid 5 --to 10.0.0.1:80 -i *");
    assert_eq!((sent.uid, sent.gid, sent.udp), (Some(5), None, false));
    let arriving =
        question("explain --from-interface eth0 --from fd00::9 --to [fd00::5]:443 --udp");
    assert_eq!(arriving.to, "[fd00::5]:443".parse().unwrap());
    assert_eq!(arriving.from_interface.as_deref(), Some("eth0"));
    assert!(arriving.udp);
}

#[test]
fn wrong_usage() {
    for line in [
        "--no-such-flag",
        "-p",
        "--dry-run=maybe",
        "frobnicate",
        "cleanup istio-iptables",
        "explain --to 10.0.0.1:80",
        "explain --uid 5",
        "explain --uid x --to 10.0.0.1:80",
        "explain --uid 5 --to 10.0.0.1",
        "explain --uid 5 --to 10.0.0.1:80 --from-interface eth0",
    ] {
        assert!(parse(line, &[]).unwrap_err().use_stderr(), "{line}");
    }
    for line in ["--help", "-h", "--version"] {
        assert!(!parse(line, &[]).unwrap_err().use_stderr(), "{line}");
    }
}

fn help(line: &str) -> String {
    parse(line, &[]).unwrap_err().to_string()
}

#[test]
fn help_has_own_flags_in_a_group() {
    let all = help("--help");
    let (istio, own) = all.split_once("egret's own flags:").expect("a group");
    let has = |part: &str, flag: &str| {
        let lines = part.lines().map(str::trim_start);
        let names = lines.filter(|line| line.starts_with('-'));
        let mut long = names.map(|line| line.split_once("--").map_or("", |(_, rest)| rest));
        long.any(|rest| {
            rest.strip_prefix(flag)
                .is_some_and(|end| end.starts_with([' ', '[']))
        })
    };
    for flag in ["backend", "ipv6", "block-quic", "strict-istio", "output"] {
        assert!(has(own, flag) && !has(istio, flag), "{flag}");
    }
    for flag in ["envoy-port", "iptables-probe-port", "dry-run"] {
        assert!(has(istio, flag) && !has(own, flag), "{flag}");
    }
}

#[test]
fn help_of_a_command_has_its_flags_alone() {
    for (line, visible, hidden) in [
        ("cleanup --help", "--backend", "--envoy-port"),
        ("verify --help", "--probe-timeout", "--envoy-port"),
        ("explain --help", "--to", "--backend"),
        ("version --help", "Print help", "--network-namespace"),
    ] {
        let text = help(line);
        assert!(text.contains(visible), "{line}: {text}");
        assert!(!text.contains(hidden), "{line}: {text}");
    }
}

/// The quick reader of plain lines and clap agree on whatever the quick one reads.
#[test]
fn plain_lines_mean_what_clap_reads() {
    const ARGUMENTS: [&str; 24] = [
        "-p",
        "-p1",
        "-p=1",
        "-p=",
        "-i",
        "*",
        "",
        "-n",
        "-n=false",
        "-n=T",
        "-nfalse",
        "-np",
        "--",
        "-",
        "--dry-run",
        "--dry-run=0",
        "--dry-run=maybe",
        "--envoy-port",
        "--envoy-port=7",
        "--envoy-port=",
        "--envoy-port==",
        "cleanup",
        "-h",
        "--no-flag",
    ];
    let mut read = 0;
    for first in ARGUMENTS {
        for second in ARGUMENTS {
            for third in ARGUMENTS {
                let line = ["egret-init", first, second, third].map(OsString::from);
                let Some(typed) = TypedFlags::read(&line) else {
                    continue;
                };
                read += 1;
                let (command, by_clap, question) = command::read(line.to_vec()).unwrap();
                assert_eq!((command.as_str(), question), ("", None), "{line:?}");
                for flag in FLAGS {
                    let quick = typed.value(flag.long);
                    let thorough = by_clap.value(flag.long);
                    if flag.kind == Kind::Switch {
                        let read = |value: Option<&str>| value.map(go_bool);
                        assert_eq!(read(quick), read(thorough), "{line:?}");
                    } else {
                        assert_eq!(quick, thorough, "{line:?}");
                    }
                }
            }
        }
    }
    assert!(read > 500, "{read} lines are plain");
}

/// What the injector passes never waits for clap.
#[test]
fn injected_lines_are_plain() {
    let line = "egret-init -p 15001 -z 15006 -u 1337 -m REDIRECT -i * -x  -b * -d 15090,15021,15020 \
                --log_output_level=default:info --log_as_json --run-validation";
    let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
    assert!(TypedFlags::read(&arguments).is_some());
}
