//! Reading and building again only what changed gives what reading and building everything gives, whatever changed.

use std::collections::BTreeMap;
use std::fmt::Write;

use egret_config::load::{
    Document, Documents, Text, TextDocuments, TextReader, build, joined, load,
};
use egret_config::problem::Problem;
use egret_config::snapshot::workload::{Mode, Workload};
use egret_config::snapshot::{Snapshot, addresses};
use proptest::prelude::*;

/// A document: one of a few names, hosts and contents, so that documents meet.
#[derive(Clone, Debug)]
struct Item {
    kind: u8,
    name: u8,
    host: u8,
    variant: u8,
}

/// One edit of the files.
#[derive(Clone, Debug)]
enum Edit {
    /// Puts a document into a file, at a place or at the end.
    Add(u8, usize, Item),
    /// Replaces a document of a file.
    Replace(u8, usize, Item),
    /// Takes a document out of a file.
    Remove(u8, usize),
    /// Moves a document to another file.
    Move(u8, usize, u8),
    /// Writes comments above everything in a file.
    Comment(u8, u8),
    /// Removes a file.
    Delete(u8),
    /// Writes a file as a list, or no longer as one.
    List(u8),
}

#[derive(Clone, Debug, Default)]
struct File {
    comments: u8,
    is_list: bool,
    items: Vec<Item>,
}

const ISTIO: &str = "networking.istio.io/v1";

impl Item {
    fn text(&self) -> String {
        let (name, variant) = (self.name, self.variant);
        let host = match self.host {
            0 => "'*.wild.test'".to_owned(),
            1 => "svc-1.default.svc.cluster.local".to_owned(),
            other => format!("h{other}.test"),
        };
        let (api, kind, body) = match self.kind {
            0..=3 => {
                let (ports, more) = match variant {
                    0 => ("{number: 80, name: http, protocol: HTTP}", "resolution: NONE"),
                    1 => ("{number: 443, name: tls, protocol: TLS}", "resolution: NONE"),
                    2 => (
                        "{number: 80, name: http, protocol: HTTP}, {number: 5432, name: tcp, protocol: TCP}",
                        "addresses: [10.0.0.1], resolution: STATIC, endpoints: [{address: 192.0.2.1, labels: {version: v1}}]",
                    ),
                    3 => ("{number: 80, name: auto}", "resolution: NONE, exportTo: ['.']"),
                    // An error and an unknown field.
                    4 => ("{number: 80, name: http, protocol: SMTP}", "resolution: NONE"),
                    5 => ("{number: 80, name: http, protocol: HTTP}", "resolution: NONE, colour: red"),
                    _ => (
                        "{number: 80, name: http, protocol: HTTP}",
                        "resolution: STATIC, workloadSelector: {labels: {app: a}}",
                    ),
                };
                (ISTIO, "ServiceEntry", format!("spec: {{hosts: [{host}], ports: [{ports}], {more}}}"))
            }
            4 => {
                let spec = match variant {
                    0..=2 => format!("http: [{{route: [{{destination: {{host: {host}}}}}], timeout: {variant}s}}]"),
                    3 => format!("http: [{{route: [{{destination: {{host: {host}, subset: v1}}}}]}}]"),
                    4 => format!("tls: [{{match: [{{sniHosts: [{host}], port: 443}}], route: [{{destination: {{host: {host}}}}}]}}]"),
                    _ => "http: [{delegate: {name: n1, namespace: default}}]".to_owned(),
                };
                (ISTIO, "VirtualService", format!("spec: {{hosts: [{host}], {spec}}}"))
            }
            5 => {
                let spec = match variant {
                    0 => "subsets: [{name: v1, labels: {version: v1}}]",
                    1 => "trafficPolicy: {connectionPool: {tcp: {maxConnections: 5}}}",
                    2 => "trafficPolicy: {tls: {mode: SIMPLE, credentialName: n1}}",
                    3 => "trafficPolicy: {tls: {mode: SOMETIMES}}",
                    _ => "trafficPolicy: {outlierDetection: {consecutive5xxErrors: 3}}",
                };
                (ISTIO, "DestinationRule", format!("spec: {{host: {host}, {spec}}}"))
            }
            6 => {
                let hosts = match variant {
                    0..=2 => "'./*'",
                    3 => "'*/*', '~/*'",
                    _ => "'*/*'",
                };
                (ISTIO, "Sidecar", format!("spec: {{egress: [{{hosts: [{hosts}]}}]}}"))
            }
            7 => (
                "v1",
                "Service",
                match variant {
                    0 => "spec: {type: ExternalName, externalName: h2.test, ports: [{port: 80, name: http}]}".to_owned(),
                    _ => format!("spec: {{clusterIP: 10.96.0.{}, ports: [{{port: 80, name: http}}]}}", variant + 1),
                },
            ),
            8 => ("v1", "Secret", format!("stringData: {{ca.crt: root-{variant}}}")),
            9 => ("v1", "Pod", format!("metadata2: {{}}\nstatus: {{podIP: 10.1.0.{variant}}}")),
            10 => (
                "discovery.k8s.io/v1",
                "EndpointSlice",
                format!("addressType: IPv4\nports: [{{name: http, port: 8080}}]\nendpoints: [{{addresses: [10.1.0.{variant}]}}]"),
            ),
            11 => {
                return match variant {
                    0 => "outboundTrafficPolicy: {mode: REGISTRY_ONLY}\n".to_owned(),
                    1 => "outboundTrafficPolicy: {mode: REGISTRY_ONLY\n".to_owned(),
                    2 => "outboundTrafficPolicy: {mode: ALLOW_ANY}\nconnectTimeout: 3s\n".to_owned(),
                    _ => "{ not: yaml\n".to_owned(),
                };
            }
            _ => ("apps/v1", "Deployment", "spec: {}".to_owned()),
        };
        let namespace = match self.kind.is_multiple_of(2) && variant == 6 {
            true => "other",
            false => "default",
        };
        let labels = match self.kind {
            9 => "app: a, version: v1".to_owned(),
            10 => format!("kubernetes.io/service-name: svc-{name}"),
            _ => String::new(),
        };
        let prefix = if self.kind == 7 { "svc-" } else { "n" };
        format!(
            "apiVersion: {api}\nkind: {kind}\nmetadata: {{name: {prefix}{name}, namespace: {namespace}, labels: {{{labels}}}}}\n{body}\n"
        )
    }
}

impl File {
    fn text(&self, name: &str) -> Text {
        let mut yaml = "# a comment\n".repeat(usize::from(self.comments));
        if self.is_list {
            yaml.push_str("apiVersion: v1\nkind: List\nitems:\n");
        }
        for item in &self.items {
            let text = item.text();
            if self.is_list {
                let indented = text.trim_end().replace('\n', "\n  ");
                let _ = writeln!(yaml, "- {indented}");
            } else {
                let _ = write!(yaml, "---\n{text}");
            }
        }
        Text {
            file: name.into(),
            bytes: yaml.into_bytes(),
        }
    }
}

fn apply(files: &mut BTreeMap<u8, File>, edit: Edit) {
    let place = |at: usize, items: &[Item]| (!items.is_empty()).then(|| at % items.len());
    match edit {
        Edit::Add(file, at, item) => {
            let items = &mut files.entry(file).or_default().items;
            items.insert(at % (items.len() + 1), item);
        }
        Edit::Replace(file, at, item) => {
            let items = &mut files.entry(file).or_default().items;
            if let Some(at) = place(at, items) {
                items[at] = item;
            }
        }
        Edit::Remove(file, at) => {
            let items = &mut files.entry(file).or_default().items;
            if let Some(at) = place(at, items) {
                items.remove(at);
            }
        }
        Edit::Move(from, at, to) => {
            let items = &mut files.entry(from).or_default().items;
            if let Some(at) = place(at, items) {
                let item = items.remove(at);
                files.entry(to).or_default().items.push(item);
            }
        }
        Edit::Comment(file, lines) => files.entry(file).or_default().comments = lines,
        Edit::Delete(file) => {
            files.remove(&file);
        }
        Edit::List(file) => {
            let file = files.entry(file).or_default();
            file.is_list = !file.is_list;
        }
    }
}

/// All that a snapshot says.
fn dump(snapshot: &Snapshot) -> String {
    let hosts = (2..6).map(|host| snapshot.names_host(&format!("h{host}.test")));
    format!(
        "{:#?}\n{:#?}\n{:#?}\n{:?}\n{:?}\n{:?}\n{:?}",
        snapshot.clusters,
        snapshot.listeners(),
        snapshot.routes(),
        snapshot.mesh,
        snapshot.names.all(),
        snapshot.bound_ports(),
        hosts.collect::<Vec<_>>(),
    )
}

fn messages(problems: &[Problem]) -> Vec<String> {
    let message = |problem: &Problem| format!("{} {problem}", problem.severity);
    problems.iter().map(message).collect()
}

/// What is kept from one reading to the next.
#[derive(Default)]
struct Source {
    reader: TextReader,
    read: BTreeMap<String, TextDocuments>,
    snapshot: Option<Snapshot>,
}

impl Source {
    fn update(&mut self, texts: &[Text], workload: &Workload) -> (String, Vec<String>) {
        let mut before = std::mem::take(&mut self.read);
        for text in texts {
            let kept = before.remove(&*text.file);
            let read = self.reader.objects(text, kept);
            self.read.insert(text.file.to_string(), read);
        }
        let documents: Documents = joined(self.read.values(), None);
        let (mut objects, mut problems) = build(documents);
        if workload.dns_capture {
            addresses::allocate(&mut objects);
        }
        let (snapshot, of_build) =
            Snapshot::rebuild(&objects, workload.clone(), self.snapshot.as_ref());
        problems.extend(of_build);
        let result = (dump(&snapshot), messages(&problems));
        self.snapshot = Some(snapshot);
        result
    }
}

fn whole(texts: &[Text], workload: &Workload) -> (String, Vec<String>) {
    let (mut objects, mut problems) = load(texts, None);
    if workload.dns_capture {
        addresses::allocate(&mut objects);
    }
    let (snapshot, of_build) = Snapshot::build(&objects, workload.clone());
    problems.extend(of_build);
    (dump(&snapshot), messages(&problems))
}

fn item() -> impl Strategy<Value = Item> {
    (0..13_u8, 0..3_u8, 0..5_u8, 0..7_u8).prop_map(|(kind, name, host, variant)| Item {
        kind,
        name,
        host,
        variant,
    })
}

fn edit() -> impl Strategy<Value = Edit> {
    let (file, at) = (0..3_u8, any::<usize>());
    prop_oneof![
        6 => (file.clone(), at, item()).prop_map(|(file, at, item)| Edit::Add(file, at, item)),
        3 => (file.clone(), at, item()).prop_map(|(file, at, item)| Edit::Replace(file, at, item)),
        2 => (file.clone(), at).prop_map(|(file, at)| Edit::Remove(file, at)),
        2 => (file.clone(), at, file.clone()).prop_map(|(from, at, to)| Edit::Move(from, at, to)),
        2 => (file.clone(), 0..3_u8).prop_map(|(file, lines)| Edit::Comment(file, lines)),
        1 => file.clone().prop_map(Edit::Delete),
        1 => file.prop_map(Edit::List),
    ]
}

fn workload(mode: Mode, dns_capture: bool) -> Workload {
    Workload {
        dns_capture,
        ..Workload::new(mode, "default")
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_changed_alone_gives_what_everything_gives(
        edits in prop::collection::vec(edit(), 1..30),
        mode in prop_oneof![3 => Just((Mode::Sidecar, false)), 1 => Just((Mode::Sidecar, true)), 1 => Just((Mode::Gateway, false))],
    ) {
        let workload = workload(mode.0, mode.1);
        let mut files = BTreeMap::new();
        let mut source = Source::default();
        for edit in edits {
            apply(&mut files, edit);
            let texts: Vec<Text> = files
                .iter()
                .map(|(number, file)| file.text(&format!("{number}.yaml")))
                .collect();
            let (now, problems) = source.update(&texts, &workload);
            let (expected, expected_problems) = whole(&texts, &workload);
            prop_assert_eq!(problems, expected_problems);
            prop_assert!(now == expected, "{}\nand not\n{}", now, expected);
        }
    }
}

#[test]
fn what_did_not_change_is_shared() {
    let entries = |changed: u8| {
        let mut items: Vec<Item> = (0..3)
            .map(|at| Item {
                kind: 0,
                name: at,
                host: 2 + at,
                variant: 0,
            })
            .collect();
        items[1].variant = changed;
        let file = File {
            items,
            ..File::default()
        };
        [file.text("a.yaml")]
    };
    let workload = workload(Mode::Sidecar, false);
    let mut source = Source::default();
    source.update(&entries(0), &workload);
    let identities = |source: &Source| -> Vec<usize> {
        let snapshot = source.snapshot.as_ref().expect("built");
        let clusters =
            (2..5).map(|host| &snapshot.clusters[&*format!("outbound|80||h{host}.test")]);
        clusters
            .map(|cluster| std::sync::Arc::as_ptr(cluster).addr())
            .collect()
    };
    let before = identities(&source);
    source.update(&entries(5), &workload);
    let after = identities(&source);
    assert_eq!((before[0], before[2]), (after[0], after[2]));
    assert_ne!(before[1], after[1]);
    let documents: Vec<Document> = joined(source.read.values(), None).list;
    assert_eq!(documents.len(), 3);
}
