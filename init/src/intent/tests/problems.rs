//! Problems of flags and variables, and their messages.

use super::*;

#[test]
fn ignored_variables_are_reported() {
    let intent = intent("", &[("ISTIO_DUAL_STACK", "yes")], &["10.0.0.5"]).unwrap();
    assert_eq!(
        intent.warnings(),
        ["the environment's ISTIO_DUAL_STACK=yes is ignored, since its flag has no such value"]
    );
}

/// Which addresses turn IPv6 on, without and with dual stack.

#[test]
fn single_faults() {
    for (line, expected) in [
        ("-p 0", "--envoy-port: `0` is no port from 1 to 65535"),
        (
            "-z 65536",
            "--inbound-capture-port: `65536` is no port from 1 to 65535",
        ),
        (
            "-e http",
            "--inbound-tunnel-port: `http` is no port from 1 to 65535",
        ),
        (
            "-u nobody-here",
            "--proxy-uid: `nobody-here` is neither a number nor a user of this machine",
        ),
        (
            "-u 9-3",
            "--proxy-uid: `9-3` is neither a number nor a user of this machine",
        ),
        ("-u ,", "--proxy-uid: `,` names no user"),
        (
            "-u 1 -g alice",
            "--proxy-gid: `alice` is neither a number nor a group of this machine",
        ),
        (
            "-u istio-proxy",
            "--proxy-gid: there is no group `istio-proxy`, named like the user: give the gid",
        ),
        (
            "-b 80,*",
            "--istio-inbound-ports: `*` has a meaning only as the whole value of -b",
        ),
        (
            "-q 90:80",
            "--istio-outbound-ports: `90:80` is no port from 0 to 65535, nor a range such as 80:90",
        ),
        (
            "-o 65536",
            "--istio-local-outbound-ports-exclude: `65536` is no port from 0 to 65535, nor a range such as 80:90",
        ),
        (
            "-d x",
            "--istio-local-exclude-ports: `x` is no port from 0 to 65535, nor a range such as 80:90",
        ),
        (
            "-i 10.0.0.1",
            "--istio-service-cidr: `10.0.0.1` has no prefix length: write `10.0.0.1/32`",
        ),
        (
            "-x *",
            "--istio-service-exclude-cidr: `*` would capture nothing at all; for that leave --istio-service-cidr empty",
        ),
        (
            "-c a/b",
            "--istio-exclude-interfaces: `a/b` is no interface name of 1 to 15 characters",
        ),
        (
            "-c a\"b",
            "--istio-exclude-interfaces: `a\"b` is no interface name of 1 to 15 characters",
        ),
        (
            "-k a234567890123456",
            "--kube-virt-interfaces: `a234567890123456` is no interface name of 1 to 15 characters",
        ),
        (
            "-t 0",
            "--istio-inbound-tproxy-mark: `0` cannot be used: 0 is no mark, and 1338 marks the proxy's calls to its own pod",
        ),
        (
            "-t 0x53a",
            "--istio-inbound-tproxy-mark: `0x53a` cannot be used: 0 is no mark, and 1338 marks the proxy's calls to its own pod",
        ),
        (
            "-t x",
            "--istio-inbound-tproxy-mark: `x` is no number from 1 to 4294967295",
        ),
        (
            "-r -1",
            "--istio-inbound-tproxy-route-table: `-1` is no number from 1 to 4294967295",
        ),
        (
            "-r 254",
            "--istio-inbound-tproxy-route-table: table `254` is the kernel's own",
        ),
        (
            "--redirect-dns",
            "--redirect-dns: /etc/resolv.conf cannot be read, so the name servers are unknown; --capture-all-dns needs none",
        ),
        (
            "--backend ebpf",
            "--backend: `ebpf` is none of auto, nftables, iptables",
        ),
        (
            "--backend iptables --native-nftables",
            "--native-nftables: contradicts --backend iptables: give one of them",
        ),
        (
            "--force-iptables-binary new",
            "--force-iptables-binary: `new` is neither legacy nor nft",
        ),
        (
            "--output json",
            "--output: `json` is neither nft nor iptables",
        ),
        (
            "--ipv6 maybe",
            "--ipv6: `maybe` is none of auto, on, off, block",
        ),
        (
            "--iptables-probe-port 0",
            "--iptables-probe-port: `0` is no port from 1 to 65535",
        ),
        (
            "--probe-timeout 5",
            "--probe-timeout: `5` is no duration such as 5s or 1m30s",
        ),
    ] {
        assert_eq!(problems(line, &[]), [expected], "{line}");
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    let problems = problems(
        "-p x -u a,b -i 10.0.0.1,y -b 1,z --redirect-dns --backend v -r 0",
        &[("PROXY_GID", "c")],
    );
    let settings: Vec<&str> = problems
        .iter()
        .map(|problem| problem.split(':').next().unwrap())
        .collect();
    let expected = [
        "--proxy-uid",
        "--proxy-uid",
        "--proxy-gid",
        "--envoy-port",
        "--istio-service-cidr",
        "--istio-service-cidr",
        "--istio-inbound-ports",
        "--istio-inbound-tproxy-route-table",
        "--redirect-dns",
        "--backend",
    ];
    assert_eq!(settings, expected);
}
