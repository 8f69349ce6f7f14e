//! Ports: their numbers come from the flags' defaults, and every flag that opens one is here.

use std::net::SocketAddr;

use crate::{header, row};

/// A port: the flag of `egret-proxy run`, the protocol, who may reach it, and what it is for.
struct Port {
    flag: &'static str,
    protocol: &'static str,
    reachable: &'static str,
    about: &'static str,
}

const PORTS: &[Port] = &[
    Port {
        flag: "outbound-port",
        protocol: "TCP",
        reachable: "the pod, by redirection",
        about: "outbound connections (sidecar)",
    },
    Port {
        flag: "inbound-port",
        protocol: "TCP",
        reachable: "other pods, by redirection",
        about: "inbound connections (sidecar)",
    },
    Port {
        flag: "dns-port",
        protocol: "UDP, TCP",
        reachable: "the pod, by redirection",
        about: "captured DNS queries (sidecar with `--dns-capture`)",
    },
    Port {
        flag: "admin",
        protocol: "TCP",
        reachable: "the pod",
        about: "[admin pages](admin.md)",
    },
    Port {
        flag: "stats",
        protocol: "TCP",
        reachable: "everybody, for Prometheus",
        about: "`/stats/prometheus`",
    },
    Port {
        flag: "agent",
        protocol: "TCP",
        reachable: "everybody, for Prometheus and the kubelet",
        about: "`/stats/prometheus` with the application's metrics, `/healthz/ready`; for the pod itself `/drain` and `/quitquitquit`",
    },
    Port {
        flag: "health",
        protocol: "TCP",
        reachable: "everybody, for the kubelet",
        about: "`/healthz/ready`",
    },
];

pub(crate) fn page() -> String {
    let proxy = egret_proxy::args::command();
    let run = proxy
        .find_subcommand("run")
        .expect("egret-proxy has the command run");
    let default = |flag: &str| {
        let argument = run
            .get_arguments()
            .find(|argument| argument.get_long() == Some(flag))
            .unwrap_or_else(|| panic!("egret-proxy run has no flag --{flag}"));
        argument.get_default_values()[0]
            .to_string_lossy()
            .into_owned()
    };
    for argument in run.get_arguments() {
        let names = argument.get_value_names().unwrap_or_default();
        let is_number = names.iter().any(|name| name == "N");
        let opens = !is_number
            && argument.get_default_values().iter().any(|value| {
                let value = value.to_string_lossy();
                value.parse::<SocketAddr>().is_ok()
                    || value.parse::<u16>().is_ok_and(|port| port > 1024)
            });
        let flag = argument.get_long().unwrap_or_default();
        assert!(
            !opens || PORTS.iter().any(|port| port.flag == flag),
            "--{flag} is missing in tests/docs/ports.rs"
        );
    }
    let mut text =
        "# Ports\n\nThe numbers are Istio's; each can be changed by its flag.\n\n".to_owned();
    text += &header([
        "port",
        "protocol",
        "reachable for",
        "serves",
        "flag of `egret-proxy run`",
    ]);
    for port in PORTS {
        let default = default(port.flag);
        let (address, number) = match default.parse::<SocketAddr>() {
            Ok(address) => (format!(" on {}", address.ip()), address.port().to_string()),
            Err(_) => (String::new(), default),
        };
        text += &row([
            &number,
            port.protocol,
            port.reachable,
            &format!("{}{address}", port.about),
            &format!("`--{}`", port.flag),
        ]);
    }
    text += "\nA gateway listens on the ports that Gateway objects ask for instead of the redirected ones. Sidecar objects and MeshConfig \
        `proxyHttpPort` add listeners of their own. egret-init leaves inbound connections to 15020, 15021 and 15090 alone when it gets the \
        flags of Istio's injector.\n";
    text
}
