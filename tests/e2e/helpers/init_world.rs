//! A pod with two interfaces and everybody else behind them, for tests of the redirect rules alone.
//!
//! Whoever takes a connection answers with the port it listens on, so a client learns where its connection went. The
//! world outside takes every port of every address, so that a connection that is left alone is answered at once.

use std::fs;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use egret_tests::netns::{Host, Overlay};
use egret_tests::process::{Finished, Process};
use tempfile::TempDir;

pub(crate) use self::sockets::act_as;
use self::sockets::{OUTSIDE, serve, serve_tcp, serve_udp, tcp, udp};

mod sockets;

/// The pod's addresses on its first interface.
pub(crate) const POD: [&str; 2] = ["10.1.0.5", "fd00:1::5"];
/// The pod's addresses on its second interface.
pub(crate) const POD_AT_ETH1: [&str; 2] = ["10.2.0.5", "fd00:2::5"];
/// The name servers of the pod's resolv.conf.
pub(crate) const SERVERS: [&str; 2] = ["192.0.2.53", "2001:db8::53"];

/// Listeners of the proxy.
const LISTENERS: [u16; 3] = [15001, 15006, 15053];

/// A pod and the world outside it.
pub(crate) struct InitWorld {
    /// The pod, whose rules are tested.
    pub(crate) pod: Host,
    outside: Host,
    files: TempDir,
}

/// Where a connection went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// To a port of the proxy.
    Proxy(u16),
    /// Where it was going: to the world outside, or to a port of the pod where nobody listens.
    Untouched,
    /// Somebody refused it on the way out.
    Refused,
    /// Nobody answered.
    Silent,
}

/// A uid and a gid.
pub(crate) type Owner = (u32, u32);

impl InitWorld {
    /// Makes both, with routes and without rules.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let files = tempfile::tempdir()?;
        let [ipv4, ipv6] = SERVERS;
        let resolv_conf = files.path().join("resolv.conf");
        fs::write(
            &resolv_conf,
            format!("nameserver {ipv4}\nnameserver {ipv6}\n"),
        )?;
        fs::set_permissions(files.path(), fs::Permissions::from_mode(0o755))?;
        // Other users may not look into the folder where it was built. A copy could not be run while a child of another
        // test still holds it open for writing.
        let program = files.path().join("egret-init");
        fs::write(&program, "")?;
        let overlay = |source, target| Overlay { source, target };
        let overlays = vec![
            overlay(resolv_conf, PathBuf::from("/etc/resolv.conf")),
            overlay(built()?, program),
        ];
        let pod = Host::new("pod", overlays, Vec::new())?;
        let outside = Host::new("outside", Vec::new(), Vec::new())?;
        let world = Self {
            pod,
            outside,
            files,
        };
        world.connect()?;
        world.serve_outside()?;
        Ok(world)
    }

    fn connect(&self) -> anyhow::Result<()> {
        let there = self.outside.netns_path();
        let mut pod = String::new();
        let mut outside = String::new();
        for (name, number) in [("eth0", 1), ("eth1", 2)] {
            pod.push_str(&format!(
                "link add {name} type veth peer name {name} netns {there}\n\
                 link set {name} up\n\
                 addr add 10.{number}.0.5/24 dev {name}\n\
                 addr add fd00:{number}::5/64 dev {name} nodad\n"
            ));
            outside.push_str(&format!(
                "link set {name} up\n\
                 addr add 10.{number}.0.1/24 dev {name}\n\
                 addr add fd00:{number}::1/64 dev {name} nodad\n"
            ));
        }
        pod.push_str("route add default via 10.1.0.1\nroute add default via fd00:1::1\n");
        outside.push_str("route add local 0.0.0.0/1 dev lo\nroute add local 128.0.0.0/1 dev lo\nroute add local 2000::/3 dev lo\nroute add local fd09::/16 dev lo\n");
        self.pod.ip(&pod)?;
        self.outside.ip(&outside)
    }

    fn serve_outside(&self) -> anyhow::Result<()> {
        let rules = format!(
            "table inet world {{ chain everything {{ type nat hook prerouting priority -100; \
             meta l4proto {{ tcp, udp }} redirect to :{OUTSIDE}; }}\n}}\n"
        );
        nft(&self.outside, &rules)?;
        self.outside
            .run(|| serve(OUTSIDE, Ipv6Addr::UNSPECIFIED.into()))
    }

    /// Listens as the proxy does, as this owner, so that its answers are the proxy's. The listeners stay.
    pub(crate) fn serve_proxy(&self, owner: Owner) -> anyhow::Result<()> {
        self.pod.run(move || {
            act_as(owner, || -> anyhow::Result<()> {
                for port in LISTENERS {
                    serve_tcp(port)?;
                }
                for address in ["127.0.0.1", "::1"] {
                    serve_udp(15053, address.parse()?)?;
                }
                Ok(())
            })
        })
    }

    /// Lets the world outside reach addresses by way of the pod's second interface, and the pod pass packets on.
    pub(crate) fn pod_passes_on(&self, addresses: [&str; 2]) -> anyhow::Result<()> {
        // Routes of the pod's two sides cross in one world, which no strict router would accept.
        shell(
            &self.pod,
            "cd /proc/sys/net; echo 1 > ipv4/ip_forward; echo 1 > ipv6/conf/all/forwarding; \
             for f in ipv4/conf/*/rp_filter; do echo 0 > $f; done",
        )?;
        let routes = addresses.iter().zip(POD_AT_ETH1);
        let routes = routes.map(|(to, by)| format!("route add {to} via {by} table local\n"));
        self.outside.ip(&routes.collect::<String>())
    }

    /// The program, where everybody may run it.
    pub(crate) fn program(&self) -> PathBuf {
        self.files.path().join("egret-init")
    }

    /// A run of the program in the pod. Words `NAME=value` become variables.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let is_variable = |word: &&str| word.starts_with(|first: char| first.is_ascii_uppercase());
        let (variables, flags): (Vec<&str>, Vec<&str>) = words
            .iter()
            .copied()
            .partition(|word| is_variable(word) && word.contains('='));
        let mut command = self.pod.command(0, &self.program(), &flags);
        command.envs(variables.iter().filter_map(|word| word.split_once('=')));
        command
    }

    /// Runs the program in the pod.
    pub(crate) fn init(&self, flags: &[&str]) -> anyhow::Result<Finished> {
        Process::run(&self.pod, self.command(flags))
    }

    /// Runs the program in the pod and insists on its success.
    pub(crate) fn done(&self, flags: &[&str]) -> anyhow::Result<String> {
        let done = self.init(flags)?;
        anyhow::ensure!(
            done.code == 0,
            "{flags:?} ended with {}: {}{}",
            done.code,
            done.errors,
            done.output
        );
        Ok(done.output)
    }

    /// What `nft list ruleset` says in the pod, without counts.
    pub(crate) fn ruleset(&self) -> anyhow::Result<String> {
        let listed = shell(&self.pod, "nft list ruleset")?;
        let words = listed.split(' ');
        let mut kept = Vec::new();
        let mut skip = 0;
        for word in words {
            if skip > 0 {
                skip -= 1;
            } else if word == "packets" {
                skip = 3;
            } else {
                kept.push(word);
            }
        }
        Ok(kept.join(" "))
    }

    /// All that a run may change, but for iptables-legacy.
    pub(crate) fn state(&self) -> anyhow::Result<String> {
        // Routes to link-local addresses come when the kernel has looked for duplicates.
        let besides = "for f in -4 -6; do ip $f rule; ip $f route show table all | grep -v fe80:; done; \
                       ip addr show dev lo";
        Ok(format!("{}{}", self.ruleset()?, shell(&self.pod, besides)?))
    }

    /// What iptables-legacy has.
    pub(crate) fn legacy(&self) -> anyhow::Result<String> {
        shell(&self.pod, "iptables-legacy-save; ip6tables-legacy-save")
    }

    /// Where a TCP connection of a process goes.
    pub(crate) fn tcp(&self, owner: Owner, from: Option<IpAddr>, to: SocketAddr) -> Fate {
        self.pod.run(move || tcp(owner, from, to))
    }

    /// Where a datagram of a process goes.
    pub(crate) fn udp(&self, owner: Owner, from: Option<IpAddr>, to: SocketAddr) -> Fate {
        self.pod.run(move || udp(owner, from, 0, to))
    }

    /// Where a datagram goes that a process sends from a port of its choice.
    pub(crate) fn udp_from_port(&self, owner: Owner, port: u16, to: SocketAddr) -> Fate {
        self.pod.run(move || udp(owner, None, port, to))
    }

    /// Does something in the world outside.
    pub(crate) fn outside<T: Send + 'static>(
        &self,
        action: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        self.outside.run(action)
    }

    /// Where a TCP connection from outside goes.
    pub(crate) fn tcp_from_outside(&self, to: SocketAddr) -> Fate {
        self.outside.run(move || tcp((0, 0), None, to))
    }

    /// Where a datagram from outside goes.
    pub(crate) fn udp_from_outside(&self, to: SocketAddr) -> Fate {
        self.outside.run(move || udp((0, 0), None, 0, to))
    }
}

/// Loads rules with nft in a host.
pub(crate) fn nft(host: &Host, rules: &str) -> anyhow::Result<()> {
    feed(host, "nft -f -", rules)
}

/// Runs a command over an input in a host and insists on its success.
pub(crate) fn feed(host: &Host, command: &str, input: &str) -> anyhow::Result<()> {
    let file = tempfile::NamedTempFile::new()?;
    fs::write(file.path(), input)?;
    shell(host, &format!("{command} < {}", file.path().display())).map(drop)
}

/// Runs a line of shell in a host, insists on its success and gives its output.
pub(crate) fn shell(host: &Host, line: &str) -> anyhow::Result<String> {
    let mut command = Command::new("sh");
    command.args(["-c", line]);
    command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let output = host.spawn(command)?.wait_with_output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "`{line}`: {errors}");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Address and port.
pub(crate) fn at(address: &str, port: u16) -> SocketAddr {
    SocketAddr::new(address.parse().expect("tests write addresses well"), port)
}

fn built() -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe()?;
    let folder = test
        .parent()
        .and_then(|deps| deps.parent())
        .context("tests are in target/debug/deps")?;
    Ok(folder.join("egret-init"))
}
