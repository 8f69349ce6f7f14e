//! The cases of `testdata/cases`: configuration, calls and expected verdicts, one file a topic.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::*;
use crate::lint::lint;
use crate::model::tls::{ClientTlsMode, Roots};
use crate::problem::Severity;
use crate::snapshot::cluster::{Cluster, Discovery};

#[test]
fn cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/cases");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "txt"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no cases in {}", folder.display());
    let mut wrong = String::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        for case in read(&text) {
            let mut failures = String::new();
            case.run(&mut failures);
            if !failures.is_empty() {
                let _ = writeln!(wrong, "{name}:{}: {}\n{failures}", case.line, case.title);
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// One case: what it is called, and its parts by name.
struct Case {
    title: String,
    line: usize,
    shared: String,
    parts: BTreeMap<String, String>,
}

/// Reads a file of cases.
fn read(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut shared = String::new();
    let mut lines = text.lines().enumerate().peekable();
    while let Some((at, line)) = lines.next() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line
            .split_once(':')
            .filter(|(key, _)| !key.contains(' '))
            .unwrap_or_else(|| panic!("line {}: {line:?} is no `key: value`", at + 1));
        let mut value = value.trim().to_owned();
        if value == "|" {
            value.clear();
            let inner = |line: &str| line.starts_with(' ') || line.trim().is_empty();
            while let Some((_, line)) = lines.next_if(|(_, line)| inner(line)) {
                value.push_str(line.strip_prefix("  ").unwrap_or(line.trim_start()));
                value.push('\n');
            }
        }
        match key {
            "config" => shared = value,
            "case" => cases.push(Case {
                title: value,
                line: at + 1,
                shared: shared.clone(),
                parts: BTreeMap::new(),
            }),
            "as" | "ip" | "mesh" | "yaml" | "errors" | "warns" | "calls" | "clusters" | "kind"
            | "shape" | "accept" | "refuse" | "warn" => {
                let case = cases.last_mut().expect("a case begins with its title");
                let twice = case.parts.insert(key.to_owned(), value);
                assert!(twice.is_none(), "line {}: {key} twice", at + 1);
            }
            other => panic!("line {}: unknown key {other}", at + 1),
        }
    }
    cases
}

impl Case {
    fn part(&self, name: &str) -> &str {
        self.parts.get(name).map_or("", String::as_str)
    }

    fn run(&self, failures: &mut String) {
        self.check_specs(failures);
        let yaml = documents(&[&self.shared, self.part("yaml")]);
        let text = |file: &str, content: &str| Text {
            file: file.into(),
            bytes: content.as_bytes().to_vec(),
        };
        let mesh = text("mesh.yaml", self.part("mesh"));
        let mesh = (!self.part("mesh").is_empty()).then_some(&mesh);
        let (objects, loaded) = load(&[text("case.yaml", &yaml)], mesh);
        let (snapshot, built) = Snapshot::build(&objects, self.workload());
        let world = World {
            snapshot,
            problems: loaded.into_iter().chain(built).collect(),
        };
        self.check_problems(&world, failures);
        for line in lines(self.part("calls")) {
            let (call, expected) = line.split_once("=>").expect("a call has an outcome");
            let outcome = world.outcomes(call.trim());
            if outcome != expected.trim() {
                let _ = writeln!(
                    failures,
                    "  {} => {outcome}, not {}",
                    call.trim(),
                    expected.trim()
                );
            }
        }
        for line in lines(self.part("clusters")) {
            let (name, expected) = line.split_once("=>").expect("a cluster has a description");
            let cluster = world.snapshot.clusters.get(name.trim());
            let description =
                cluster.map_or_else(|| "none".to_owned(), |cluster| describe(cluster));
            let has = |word: &str| description.split_whitespace().any(|one| one == word);
            if !expected.split_whitespace().all(has) {
                let _ = writeln!(
                    failures,
                    "  {} is {description}, not {}",
                    name.trim(),
                    expected.trim()
                );
            }
        }
    }

    /// Checks what is accepted and what is refused: specs of one kind, one a line.
    fn check_specs(&self, failures: &mut String) {
        let shape = match self.part("shape") {
            "" => "@",
            shape => shape,
        };
        let problems_of = |spec: &str, severity: Severity| {
            let spec = shape.replace('@', spec);
            let yaml = match self.part("kind") {
                "MeshConfig" => spec,
                kind => object(kind, "a", &spec),
            };
            let text = Text {
                file: "case.yaml".into(),
                bytes: yaml.into_bytes(),
            };
            let (objects, mut problems) = load(&[text], None);
            problems.extend(lint(&objects, &problems));
            let all = problems.iter();
            all.filter(|problem| problem.severity == severity)
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        let errors = |spec: &str| problems_of(spec, Severity::Error);
        for spec in lines(self.part("accept")) {
            for error in errors(spec) {
                let _ = writeln!(failures, "  {spec}\n    reported: {error}");
            }
        }
        for line in lines(self.part("warn")) {
            let (spec, part) = line.rsplit_once("=>").unwrap_or((line, ""));
            for error in errors(spec.trim()) {
                let _ = writeln!(failures, "  {}\n    reported: {error}", spec.trim());
            }
            let warnings = problems_of(spec.trim(), Severity::Warning);
            if !warnings.iter().any(|warning| warning.contains(part.trim())) {
                let _ = writeln!(
                    failures,
                    "  {}\n    not warned: {part}, but {warnings:?}",
                    spec.trim()
                );
            }
        }
        for line in lines(self.part("refuse")) {
            let (spec, part) = line.rsplit_once("=>").unwrap_or((line, ""));
            let reported = errors(spec.trim());
            if reported.is_empty() || !reported.iter().any(|error| error.contains(part.trim())) {
                let _ = writeln!(
                    failures,
                    "  {}\n    not reported: {part}, but {reported:?}",
                    spec.trim()
                );
            }
        }
    }

    fn check_problems(&self, world: &World, failures: &mut String) {
        let of = |severity: Severity| {
            let list = world.problems.iter();
            list.filter(move |problem| problem.severity == severity)
                .map(ToString::to_string)
        };
        let expected: Vec<_> = lines(self.part("errors")).collect();
        let errors: Vec<_> = of(Severity::Error).collect();
        for error in &errors {
            if !expected.iter().any(|part| error.contains(part)) {
                let _ = writeln!(failures, "  reported: {error}");
            }
        }
        for part in expected {
            if !errors.iter().any(|error| error.contains(part)) {
                let _ = writeln!(failures, "  not reported: {part}");
            }
        }
        let warnings: Vec<_> = of(Severity::Warning).collect();
        for part in lines(self.part("warns")) {
            if !warnings.iter().any(|warning| warning.contains(part)) {
                let _ = writeln!(failures, "  not warned: {part}, but {warnings:#?}");
            }
        }
    }

    fn workload(&self) -> Workload {
        let mut fields = self.part("as").split_whitespace();
        let mode = fields.next().unwrap_or("sidecar");
        let namespace = fields.next().unwrap_or("default");
        let labels = fields.next().unwrap_or_default();
        let addresses = match self.part("ip") {
            "" => "10.34.0.140",
            list => list,
        };
        let mode = match mode {
            "sidecar" => Mode::Sidecar,
            "gateway" => Mode::Gateway,
            other => panic!("unknown mode {other}"),
        };
        Workload {
            mode,
            namespace: namespace.into(),
            labels: Labels::parse(labels).unwrap(),
            addresses: addresses
                .split(',')
                .map(|one| one.trim().parse().unwrap())
                .collect(),
            own_ports: vec![15000, 15021],
            redirect_ports: match mode {
                Mode::Sidecar => vec![15001, 15006],
                Mode::Gateway => Vec::new(),
            },
            dns_capture: false,
        }
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    let is_case = |line: &&str| !line.is_empty() && !line.starts_with('#');
    text.lines().map(str::trim).filter(is_case)
}

impl World {
    /// What may become of a call: `A*80 B*20` where dice choose.
    fn outcomes(&self, call: &str) -> String {
        let gateway = self.snapshot.workload.mode == Mode::Gateway;
        let to = parse(call).to;
        if gateway && !self.listens(to) {
            return "no listener".to_owned();
        }
        let mut total = 0;
        let first = self.outcome_of(call, &mut |sides| {
            total = sides;
            0
        });
        if total < 2 {
            return first;
        }
        let mut shares: Vec<(String, u64)> = Vec::new();
        for rolled in 0..total {
            let outcome = self.outcome_of(call, &mut |_| rolled);
            match shares.iter_mut().find(|(known, _)| *known == outcome) {
                Some((_, share)) => *share += 1,
                None => shares.push((outcome, 1)),
            }
        }
        let parts: Vec<_> = shares
            .iter()
            .map(|(outcome, share)| format!("{outcome}*{share}"))
            .collect();
        parts.join(" ")
    }

    fn listens(&self, to: SocketAddr) -> bool {
        let ports = self.snapshot.bound_ports();
        ports
            .iter()
            .any(|at| at.port == to.port() && at.bind.is_none_or(|bind| bind == to.ip()))
    }
}

/// The description of a cluster.
fn describe(cluster: &Cluster) -> String {
    let mut text = String::new();
    match &cluster.discovery {
        Discovery::Members(members) => {
            text.push_str("members");
            describe_members(members, &mut text);
        }
        Discovery::Names { members, single } => {
            text.push_str(if *single { "logical_dns" } else { "dns" });
            describe_members(members, &mut text);
        }
        Discovery::Original { port } => {
            text.push_str("original");
            if let Some(port) = port {
                let _ = write!(text, " port={port}");
            }
        }
        Discovery::PerCall { allowed, port } => {
            let _ = write!(text, "per_call {allowed}:{port}");
        }
    }
    let policy = &cluster.policy;
    let _ = write!(
        text,
        " {:?} connect={:?}",
        policy.load_balancer, policy.connect_timeout
    );
    if let Some(max) = policy.pool.connections_max {
        let _ = write!(text, " max={max}");
    }
    if let Some(keepalive) = &policy.pool.keepalive {
        let time = |time: Option<std::time::Duration>| {
            time.map_or_else(|| "-".to_owned(), |time| format!("{time:?}"))
        };
        let probes = keepalive.probes.unwrap_or_default();
        let (after, between) = (time(keepalive.time), time(keepalive.interval));
        let _ = write!(text, " keepalive={probes}/{after}/{between}");
    }
    if policy.pool.h2_upgrade == Some(true) {
        text.push_str(" to-http2");
    }
    if policy.pool.use_client_protocol {
        text.push_str(" as-client");
    }
    if let Some(ejection) = &policy.outlier_detection {
        let _ = write!(text, " eject={}", ejection.consecutive_5xx);
    }
    match &policy.tls {
        None => text.push_str(" plaintext"),
        Some(tls) => {
            text.push_str(match &tls.mode {
                ClientTlsMode::Simple => " simple",
                ClientTlsMode::Mutual(_) => " mutual",
                ClientTlsMode::Unusable(_) => " unusable",
            });
            if let Some(sni) = &tls.sni {
                let _ = write!(text, " sni={sni}");
            }
            for name in &tls.subject_alt_names {
                let _ = write!(text, " san={name}");
            }
            match &tls.roots {
                Roots::System => text.push_str(" ca=system"),
                Roots::File(file) => {
                    let _ = write!(text, " ca={file}");
                }
                Roots::Pem(_) => text.push_str(" ca=pem"),
            }
        }
    }
    for name in cluster.service_names.iter() {
        let _ = write!(text, " service_san={name}");
    }
    for rule in &cluster.destination_rules {
        let _ = write!(text, " dr={rule}");
    }
    text
}

fn describe_members(members: &[crate::snapshot::cluster::Member], text: &mut String) {
    use crate::model::endpoint::Address;
    if members.is_empty() {
        text.push_str(" nobody");
    }
    for member in members {
        match &member.address {
            Address::Ip(ip) => {
                let _ = write!(text, " {}", SocketAddr::new(*ip, member.port));
            }
            Address::Name(name) => {
                let _ = write!(text, " {name}:{}", member.port);
            }
            Address::Unix(path) => {
                let _ = write!(text, " unix://{path}");
            }
        }
        if member.weight != 1 {
            let _ = write!(text, "*{}", member.weight);
        }
        if !member.locality.is_empty() {
            let _ = write!(text, "@{}", member.locality);
        }
        if member.priority != 0 {
            let _ = write!(text, "#{}", member.priority);
        }
    }
}
