//! Random configurations, small enough that their objects meet.

use proptest::prelude::*;

use super::*;

/// Hosts that may be registered.
const HOSTS: [&str; 6] = [
    "a.test",
    "b.test",
    "*.w.test",
    "x.w.test",
    "*.x.w.test",
    "z.test",
];
/// Names that are called.
pub(super) const NAMES: [&str; 8] = [
    "a.test",
    "A.Test",
    "b.test",
    "w.test",
    "q.w.test",
    "x.w.test",
    "y.x.w.test",
    "10.0.0.1",
];
const ADDRESSES: [&str; 6] = ["", "", "10.0.0.1", "10.0.0.2", "10.0.0.0/24", "10.0.0.0/30"];
const PORTS: [u16; 2] = [80, 8080];

fn pick<T: Copy + std::fmt::Debug + 'static>(list: &'static [T]) -> impl Strategy<Value = T> {
    (0..list.len()).prop_map(|at| list[at])
}

/// A ServiceEntry of the host at this index.
fn service_entry(at: usize) -> impl Strategy<Value = String> {
    let protocol = || pick(&["HTTP", "TCP", "TLS", "", "HTTPS"]);
    let addresses = prop::collection::btree_set(pick(&ADDRESSES), 0..3);
    (addresses, protocol(), prop::option::of(protocol())).prop_map(
        move |(addresses, first, second)| {
            let addresses: Vec<_> = addresses.into_iter().filter(|one| !one.is_empty()).collect();
            let mut ports = format!("{{number: 80, name: one, protocol: '{first}'}}");
            if let Some(second) = second {
                ports += &format!(", {{number: 8080, name: two, protocol: '{second}'}}");
            }
            entry(
                &format!("se{at}"),
                &format!(
                    "{{hosts: ['{}'], addresses: [{}], resolution: STATIC, endpoints: [{{address: 10.9.9.9}}], \
                     ports: [{ports}]}}",
                    HOSTS[at],
                    addresses.join(", ")
                ),
            )
        },
    )
}

/// A VirtualService; its answers have its number.
fn virtual_service(at: usize) -> impl Strategy<Value = String> {
    let port = || prop::option::of(pick(&PORTS));
    let http = prop::collection::vec(
        (
            port(),
            prop::option::of(pick(&["/a", "/"])),
            prop::option::of(pick(&HOSTS)),
            port(),
        ),
        0..3,
    );
    let streams = || {
        let subnet = prop::option::of(pick(&["10.0.0.0/24", "10.0.1.0/24"]));
        prop::collection::vec((port(), subnet, pick(&["a.test", "b.test"]), port()), 0..3)
    };
    (pick(&HOSTS), http, streams(), streams()).prop_map(move |(host, http, tls, tcp)| {
        let number = |port: Option<u16>| {
            port.map_or_else(String::new, |port| format!(", port: {{number: {port}}}"))
        };
        let matching = |port: Option<u16>, rest: String| {
            let port = port.map(|port| format!("port: {port}"));
            let parts: Vec<_> = port
                .into_iter()
                .chain(Some(rest))
                .filter(|one| !one.is_empty())
                .collect();
            match parts.is_empty() {
                true => String::new(),
                false => format!("match: [{{{}}}], ", parts.join(", ")),
            }
        };
        let mut spec = format!("hosts: ['{host}']");
        let mut lists: [(&str, Vec<String>); 3] = [
            ("http", Vec::new()),
            ("tls", Vec::new()),
            ("tcp", Vec::new()),
        ];
        for (index, (port, prefix, to, to_port)) in http.into_iter().enumerate() {
            let prefix = prefix.map_or_else(String::new, |one| format!("uri: {{prefix: {one}}}"));
            let action = match to {
                Some(to) => format!(
                    "route: [{{destination: {{host: '{to}'{}}}}}]",
                    number(to_port)
                ),
                None => {
                    format!("directResponse: {{status: 200, body: {{string: vs{at}-{index}}}}}")
                }
            };
            lists[0]
                .1
                .push(format!("{{{}{action}}}", matching(port, prefix)));
        }
        for (list, streams) in [(1, tls), (2, tcp)] {
            for (port, subnet, to, to_port) in streams {
                let mut rest =
                    subnet.map_or_else(String::new, |one| format!("destinationSubnets: [{one}]"));
                if list == 1 {
                    let separator = if rest.is_empty() { "" } else { ", " };
                    rest += &format!("{separator}sniHosts: ['{host}']");
                }
                lists[list].1.push(format!(
                    "{{{}route: [{{destination: {{host: {to}{}}}}}]}}",
                    matching(port, rest),
                    number(to_port)
                ));
            }
        }
        if lists.iter().all(|(_, rules)| rules.is_empty()) {
            lists[0]
                .1
                .push("{directResponse: {status: 200, body: {string: only}}}".to_owned());
        }
        for (name, rules) in lists.iter().filter(|(_, rules)| !rules.is_empty()) {
            spec += &format!(", {name}: [{}]", rules.join(", "));
        }
        object("VirtualService", &format!("vs{at}"), &format!("{{{spec}}}"))
    })
}

pub(super) fn configuration() -> impl Strategy<Value = String> {
    let services: Vec<_> = (0..HOSTS.len() - 1)
        .map(|at| prop::option::weighted(0.7, service_entry(at)))
        .collect();
    let rules: Vec<_> = (0..3)
        .map(|at| prop::option::weighted(0.6, virtual_service(at)))
        .collect();
    (services, rules)
        .prop_map(|(services, rules)| services.into_iter().chain(rules).flatten().collect())
}
