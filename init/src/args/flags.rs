//! The table of flags: istio-iptables' names, short names, environment variables and defaults.
//!
//! Flags of our own also have a variable that begins with `EGRET_`, which no other program of a pod reads.

use egret_config::port::well_known;

use crate::args::duration;

/// One flag.
#[derive(Debug, Clone, Copy)]
pub struct Flag {
    /// The name after `--`.
    pub long: &'static str,
    /// The name after `-`.
    pub short: Option<char>,
    /// The environment variables that replace its default; later ones win.
    pub environment: &'static [&'static str],
    /// What it takes.
    pub kind: Kind,
    /// What it does; without a text the flag is left out of the help.
    pub help: &'static str,
}

impl Flag {
    /// Whether istio-iptables has no such flag.
    pub(super) fn is_own(&self) -> bool {
        matches!(
            self.long,
            "output" | "backend" | "ipv6" | "block-quic" | "strict-istio"
        )
    }
}

/// What a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A value, with its default.
    Text(&'static str),
    /// A port, with its default. This and the next are the values that istio-iptables does not keep as text.
    Port(&'static str),
    /// A duration as Go writes it, with its default.
    Duration(&'static str),
    /// One of some values, the first of them by default.
    Word(&'static [&'static str]),
    /// Nothing, or `=true` or `=false`.
    Switch,
}

impl Kind {
    /// The value of a flag that is not set; a boolean flag is off.
    pub fn default_text(self) -> &'static str {
        match self {
            Self::Text(default) | Self::Port(default) | Self::Duration(default) => default,
            Self::Word(choices) => choices.first().copied().unwrap_or_default(),
            Self::Switch => "",
        }
    }

    /// Whether a variable may have this value. Where it may not, it counts as absent, as it does for istio-iptables:
    /// a pod's environment has variables of many makers.
    pub fn takes(self, text: &str) -> bool {
        match self {
            Self::Text(_) => true,
            Self::Port(_) => text.parse::<u16>().is_ok(),
            Self::Duration(_) => duration::parse(text).is_some(),
            Self::Word(choices) => choices.contains(&text),
            Self::Switch => go_bool(text).is_ok(),
        }
    }
}

/// Reads a boolean as Go's `strconv.ParseBool` does, since that is what scripts written for istio-iptables rely on.
///
/// # Errors
/// For any other value, what is expected.
pub(super) fn go_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

/// All flags, in the order of the help.
pub const FLAGS: &[Flag] = &[
    Flag {
        long: "envoy-port",
        short: Some('p'),
        environment: &[],
        kind: Kind::Text(well_known::OUTBOUND_TEXT),
        help: "Port of the proxy's outbound listener",
    },
    Flag {
        long: "inbound-capture-port",
        short: Some('z'),
        environment: &["INBOUND_CAPTURE_PORT"],
        kind: Kind::Text(well_known::INBOUND_TEXT),
        help: "Port of the proxy's inbound listener",
    },
    Flag {
        long: "inbound-tunnel-port",
        short: Some('e'),
        environment: &["INBOUND_TUNNEL_PORT"],
        kind: Kind::Text(well_known::TUNNEL_TEXT),
        help: "HBONE port: inbound TCP to it is never captured",
    },
    Flag {
        long: "proxy-uid",
        short: Some('u'),
        environment: &["PROXY_UID"],
        kind: Kind::Text(""),
        help: "Users whose connections are not captured [default: the uid of $ENVOY_USER, else 1337]",
    },
    Flag {
        long: "proxy-gid",
        short: Some('g'),
        environment: &["PROXY_GID"],
        kind: Kind::Text(""),
        help: "Groups whose connections are not captured [default: as --proxy-uid]",
    },
    Flag {
        long: "istio-inbound-interception-mode",
        short: Some('m'),
        environment: &["ISTIO_INBOUND_INTERCEPTION_MODE"],
        kind: Kind::Text(""),
        help: "REDIRECT or TPROXY: how inbound connections are captured",
    },
    Flag {
        long: "istio-inbound-ports",
        short: Some('b'),
        environment: &["ISTIO_INBOUND_PORTS"],
        kind: Kind::Text(""),
        help: "Inbound ports to capture; `*` is all, empty is none",
    },
    Flag {
        long: "istio-local-exclude-ports",
        short: Some('d'),
        environment: &["ISTIO_LOCAL_EXCLUDE_PORTS"],
        kind: Kind::Text(""),
        help: "Inbound ports not to capture, with `-b *`",
    },
    Flag {
        long: "istio-exclude-interfaces",
        short: Some('c'),
        environment: &["ISTIO_EXCLUDE_INTERFACES"],
        kind: Kind::Text(""),
        help: "Interfaces whose traffic is captured in neither direction",
    },
    Flag {
        long: "istio-service-cidr",
        short: Some('i'),
        environment: &["ISTIO_SERVICE_CIDR"],
        kind: Kind::Text(""),
        help: "Outbound address ranges to capture; `*` is all, empty is none",
    },
    Flag {
        long: "istio-service-exclude-cidr",
        short: Some('x'),
        environment: &["ISTIO_SERVICE_EXCLUDE_CIDR"],
        kind: Kind::Text(""),
        help: "Outbound address ranges not to capture",
    },
    Flag {
        long: "istio-outbound-ports",
        short: Some('q'),
        environment: &["ISTIO_OUTBOUND_PORTS"],
        kind: Kind::Text(""),
        help: "Outbound ports to capture whatever the address",
    },
    Flag {
        long: "istio-local-outbound-ports-exclude",
        short: Some('o'),
        environment: &["ISTIO_LOCAL_OUTBOUND_PORTS_EXCLUDE"],
        kind: Kind::Text(""),
        help: "Outbound ports never to capture",
    },
    Flag {
        long: "kube-virt-interfaces",
        short: Some('k'),
        environment: &["KUBE_VIRT_INTERFACES"],
        kind: Kind::Text(""),
        help: "Interfaces of virtual machines: what arrives from them is outbound",
    },
    Flag {
        long: "dual-stack",
        short: None,
        environment: &["DUAL_STACK", "ISTIO_DUAL_STACK"],
        kind: Kind::Switch,
        help: "Capture IPv6 too when any address of the pod is IPv6, not only when the first is",
    },
    Flag {
        long: "dry-run",
        short: Some('n'),
        environment: &["DRY_RUN"],
        kind: Kind::Switch,
        help: "Print the rules and change nothing; also into the file $DRY_RUN_FILE_PATH, if that is set",
    },
    Flag {
        long: "output",
        short: None,
        environment: &[],
        kind: Kind::Text(""),
        help: "Syntax of a dry run: nft, or iptables (input for iptables-restore --noflush and ip6tables-restore --noflush) [default: that of the backend]",
    },
    Flag {
        long: "skip-rule-apply",
        short: None,
        environment: &["SKIP_RULE_APPLY"],
        kind: Kind::Switch,
        help: "Change nothing; with --run-validation, validate what is there",
    },
    Flag {
        long: "cleanup-only",
        short: None,
        environment: &["CLEANUP_ONLY"],
        kind: Kind::Switch,
        help: "Same as the command `cleanup`",
    },
    Flag {
        long: "drop-invalid",
        short: None,
        environment: &["DROP_INVALID", "INVALID_DROP"],
        kind: Kind::Switch,
        help: "Drop arriving packets that belong to no tracked connection",
    },
    Flag {
        long: "redirect-dns",
        short: None,
        environment: &["REDIRECT_DNS", "ISTIO_META_DNS_CAPTURE"],
        kind: Kind::Switch,
        help: "Capture DNS queries to the servers of /etc/resolv.conf",
    },
    Flag {
        long: "run-validation",
        short: None,
        environment: &["RUN_VALIDATION"],
        kind: Kind::Switch,
        help: "Connect through the redirect; the exit code is 126 when that fails",
    },
    Flag {
        long: "cni-mode",
        short: None,
        environment: &["CNI_MODE"],
        kind: Kind::Switch,
        help: "Accepted; this program needs neither lock files nor name services",
    },
    Flag {
        long: "network-namespace",
        short: None,
        environment: &["NETWORK_NAMESPACE"],
        kind: Kind::Text(""),
        help: "Work in the network namespace at this path",
    },
    Flag {
        long: "force-iptables-binary",
        short: None,
        environment: &["FORCE_IPTABLES_BINARY"],
        kind: Kind::Text(""),
        help: "Which iptables the iptables backend uses, legacy or nft [default: the one that works]",
    },
    // Each run replaces the whole table in one transaction where it differs, so there is nothing to reconcile.
    Flag {
        long: "reconcile",
        short: None,
        environment: &["RECONCILE"],
        kind: Kind::Switch,
        help: "Accepted; applying always replaces earlier rules",
    },
    Flag {
        long: "force-apply",
        short: None,
        environment: &["FORCE_APPLY"],
        kind: Kind::Switch,
        help: "Replace the rules even where they are in force already",
    },
    Flag {
        long: "native-nftables",
        short: None,
        environment: &["NATIVE_NFTABLES"],
        kind: Kind::Switch,
        help: "Same as --backend nftables",
    },
    Flag {
        long: "backend",
        short: None,
        environment: &["BACKEND", "EGRET_BACKEND"],
        kind: Kind::Word(&["auto", "nftables", "iptables"]),
        help: "How the rules are loaded: nftables, iptables (iptables-restore), or auto (iptables only where the kernel has no nf_tables)",
    },
    Flag {
        long: "ipv6",
        short: None,
        environment: &["IPV6", "EGRET_IPV6"],
        kind: Kind::Word(&["auto", "on", "off", "block"]),
        help: "auto (by the pod's addresses), on, off, or block (refused in both directions, except for the proxy)",
    },
    Flag {
        long: "block-quic",
        short: None,
        environment: &["BLOCK_QUIC", "EGRET_BLOCK_QUIC"],
        kind: Kind::Switch,
        help: "Refuse UDP port 443 to destinations whose TCP is captured, so that HTTP/3 clients fall back to TCP",
    },
    Flag {
        long: "strict-istio",
        short: None,
        environment: &["STRICT_ISTIO", "EGRET_STRICT_ISTIO"],
        kind: Kind::Switch,
        help: "With =false, all of --proxy-uid and --proxy-gid are equal; istio-iptables lets only the first uid call the pod's own services through the proxy [default: true]",
    },
    Flag {
        long: "capture-all-dns",
        short: None,
        environment: &["CAPTURE_ALL_DNS"],
        kind: Kind::Switch,
        help: "With --redirect-dns, capture DNS queries to any server",
    },
    Flag {
        long: "istio-inbound-tproxy-mark",
        short: Some('t'),
        environment: &["ISTIO_INBOUND_TPROXY_MARK"],
        kind: Kind::Text("1337"),
        help: "TPROXY: mark of packets and connections",
    },
    Flag {
        long: "istio-inbound-tproxy-route-table",
        short: Some('r'),
        environment: &["ISTIO_INBOUND_TPROXY_ROUTE_TABLE"],
        kind: Kind::Text("133"),
        help: "TPROXY: routing table that delivers marked packets here",
    },
    Flag {
        long: "iptables-probe-port",
        short: None,
        environment: &["IPTABLES_PROBE_PORT"],
        kind: Kind::Port(well_known::PROBE_TEXT),
        help: "Port that validation connects to",
    },
    Flag {
        long: "probe-timeout",
        short: None,
        environment: &["PROBE_TIMEOUT"],
        kind: Kind::Duration("5s"),
        help: "How long validation may take",
    },
    // The logger flags of Istio's binaries, accepted so that command lines made for istio-iptables work; the injector's
    // template passes the first two.
    logging("log_output_level", Kind::Text("")),
    logging("log_as_json", Kind::Switch),
    logging("log_caller", Kind::Text("")),
    logging("log_rotate", Kind::Text("")),
    logging("log_rotate_max_age", Kind::Text("")),
    logging("log_rotate_max_backups", Kind::Text("")),
    logging("log_rotate_max_size", Kind::Text("")),
    logging("log_stacktrace_level", Kind::Text("")),
    logging("log_target", Kind::Text("")),
    logging("vklog", Kind::Text("")),
];

const fn logging(long: &'static str, kind: Kind) -> Flag {
    Flag {
        long,
        short: None,
        environment: &[],
        kind,
        help: "",
    }
}
