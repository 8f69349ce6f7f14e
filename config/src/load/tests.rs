use std::sync::Arc;

use super::*;
use crate::load::content::Content;
use crate::model::meta::ExportTo;
use crate::model::outbound_policy::OutboundPolicy;
use crate::name::DEFAULT_NAMESPACE;

mod hostile;
mod mesh;

fn text(file: &str, content: &str) -> Text {
    Text {
        file: Arc::from(file),
        bytes: content.into(),
    }
}

/// Reads every document of every text, in order, all mesh configurations among them.
fn read(texts: &[Text]) -> (Vec<Document>, Vec<Problem>) {
    let reader = TextReader::default();
    let mut documents = Documents::default();
    for text in texts {
        reader.objects(text, None).add_to(&mut documents);
    }
    (documents.list, documents.problems)
}

/// What was read, as `Kind namespace/name @ line`, and the problems. The default namespace is left out.
fn outcome(file: &str, content: &str) -> (Vec<String>, Vec<String>) {
    let (documents, problems) = read(&[text(file, content)]);
    let documents = documents.iter().map(|document| {
        let meta = &document.meta;
        let namespace = match &*meta.name.namespace {
            DEFAULT_NAMESPACE => "",
            namespace => namespace,
        };
        let (kind, name) = (meta.kind, &meta.name.name);
        format!("{kind} {namespace}/{name} @ {}", meta.location.line())
    });
    (
        documents.collect(),
        problems.iter().map(Problem::to_string).collect(),
    )
}

#[track_caller]
fn check(content: &str, documents: &[&str], problems: &[&str]) {
    let (read, messages) = outcome("f.yaml", content);
    assert_eq!(read, documents, "documents of {content}");
    assert_eq!(messages, problems, "problems of {content}");
}

const ENTRY: &str =
    "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: a}\nspec:\n";

fn entry(spec: &str) -> String {
    format!("{ENTRY}{spec}")
}

#[test]
fn every_kind_and_version() {
    let istio = [
        "ServiceEntry",
        "WorkloadEntry",
        "VirtualService",
        "DestinationRule",
        "Gateway",
        "Sidecar",
    ];
    for kind in istio {
        for version in ["v1", "v1beta1", "v1alpha3"] {
            check(
                &format!(
                    "apiVersion: networking.istio.io/{version}\nkind: {kind}\nmetadata: {{name: a, namespace: b}}\nspec: {{}}\n"
                ),
                &[&format!("{kind} b/a @ 1")],
                &[],
            );
        }
    }
    for (api, kind) in [
        ("v1", "Service"),
        ("v1", "Secret"),
        ("v1", "ConfigMap"),
        ("discovery.k8s.io/v1", "EndpointSlice"),
    ] {
        check(
            &format!("# a comment\n\napiVersion: {api}\nkind: {kind}\nmetadata: {{name: a}}\n"),
            &[&format!("{kind} /a @ 3")],
            &[],
        );
    }
}

#[test]
fn other_kinds_and_versions_are_named() {
    check(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {replicas: 1}\n",
        &[],
        &[
            "f.yaml:1: Deployment default/a: kind Deployment of apps/v1 is not one that egret reads, ignored",
        ],
    );
    check(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: a}\n",
        &[],
        &[
            "f.yaml:1: Gateway default/a: kind Gateway of gateway.networking.k8s.io/v1 is not one that egret reads, ignored",
        ],
    );
    check(
        "apiVersion: networking.istio.io/v2\nkind: Gateway\nmetadata: {name: a}\n",
        &[],
        &[
            "f.yaml:1: Gateway default/a: apiVersion: \"networking.istio.io/v2\": unknown version, left out; write networking.istio.io/v1",
        ],
    );
    check(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntri\nmetadata: {name: a}\nspec: {hosts: [a]}\n",
        &[],
        &[
            "f.yaml:1: ServiceEntri default/a: kind: \"ServiceEntri\": Istio has no kind ServiceEntri in networking.istio.io/v1, left out; did you mean ServiceEntry?",
        ],
    );
    check(
        "apiVersion: v1\nkind: ServiceEntry\nmetadata: {name: a}\nspec: {hosts: [a]}\n",
        &[],
        &[
            "f.yaml:1: ServiceEntry default/a: apiVersion: \"v1\": ServiceEntry is not a kind of this API, left out; write networking.istio.io/v1",
        ],
    );
    check(
        "kind: Gateway\nspec: {}\n",
        &[],
        &["f.yaml:1: apiVersion is missing"],
    );
    check(
        "apiVersion: v1\nspec: {}\n",
        &[],
        &["f.yaml:1: kind is missing"],
    );
    check("apiVersion: v1\n", &[], &["f.yaml:1: kind is missing"]);
    check(
        "foo: 1\n",
        &[],
        &[
            "f.yaml:1: neither apiVersion and kind, nor a field of MeshConfig: not a document that can be used",
        ],
    );
    check(
        "just words\n",
        &[],
        &["f.yaml:1: \"just words\": not well-formed YAML, left out: expected a mapping"],
    );
}

#[test]
fn both_spellings_nulls_and_loose_numbers() {
    let camel = entry(
        "  hosts: [a.b]\n  exportTo: [\".\"]\n  subjectAltNames: [b.a]\n  ports: [{number: \"80\", name: n, targetPort: 81}]\n",
    );
    let snake = entry(
        "  hosts: [a.b]\n  export_to: [\".\"]\n  subject_alt_names: [b.a]\n  ports: [{number: 80, name: n, target_port: 81.0, protocol: null}]\n  addresses: null\n  endpoints:\n",
    );
    let (documents, problems) = read(&[text("f", &camel), text("f", &snake)]);
    assert_eq!(problems, []);
    let [camel, snake] = documents.as_slice() else {
        panic!("two documents, not {documents:?}");
    };
    assert_eq!(
        format!("{:?}", camel.content),
        format!("{:?}", snake.content)
    );
    let Content::Service(service) = &camel.content else {
        panic!("a ServiceEntry with one host, not {camel:?}");
    };
    assert_eq!(service.ports[0].target, Some(81));
    assert_eq!(
        service.export_to,
        Some(ExportTo::Namespaces(vec!["default".into()]))
    );
}

#[test]
fn unknown_fields_are_named_with_their_whole_path() {
    check(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a, namespace: b, uid: x, managedFields: [{f: 1}]}\nspec:\n  hosts: [a]\n  http:\n  - rout:\n    - destination: {host: a}\n    match: [{uri: {prefixx: /}, frobnicate: 1}]\nsepc: 1\nstatus: {anything: goes}\n",
        &["VirtualService b/a @ 1"],
        &[
            "f.yaml:7: VirtualService b/a: spec.http[0].rout: unknown field, ignored; did you mean `route`?",
            "f.yaml:1: VirtualService b/a: spec.http[0].match[0].uri.prefixx: unknown field, ignored; did you mean `prefix`?",
            "f.yaml:1: VirtualService b/a: spec.http[0].match[0].frobnicate: unknown field, ignored",
            "f.yaml:10: VirtualService b/a: sepc: unknown field, ignored; did you mean `spec`?",
        ],
    );
}

#[test]
fn wrong_shapes_are_reported_with_location_field_and_value() {
    for (spec, problem) in [
        (
            "  hosts: a.b\n",
            "f.yaml:5: ServiceEntry default/a: spec.hosts: \"hosts: a.b\": expected a list",
        ),
        (
            "  hosts: [{a: b}]\n",
            "f.yaml:5: ServiceEntry default/a: spec.hosts[0]: \"hosts: [{a: b}]\": expected a string",
        ),
        (
            "  ports:\n  - number: http\n",
            "f.yaml:6: ServiceEntry default/a: spec.ports[0].number: \"http\": expected a whole number from 0 to 4294967295",
        ),
        (
            "  ports:\n  - number: -1\n",
            "f.yaml:6: ServiceEntry default/a: spec.ports[0].number: \"-1\": expected a whole number from 0 to 4294967295",
        ),
        (
            "  ports: [{targetPort: 1, target_port: 2}]\n",
            "f.yaml:5: ServiceEntry default/a: spec.ports[0]: \"ports: [{targetPort: 1, target_port: 2}]\": field `target_port` is set twice",
        ),
    ] {
        check(&entry(spec), &[], &[problem]);
    }
}

#[test]
fn malformed_yaml_hides_no_other_document() {
    let good = entry("  hosts: [a.b]\n");
    for (broken, problem) in [
        ("  hosts: [a.b\n", "not well-formed YAML, left out: "),
        (
            "  hosts: *.example.com\n",
            "f.yaml:12: ServiceEntry default/a: \"hosts: *.example.com\": not well-formed YAML, left out: a value that begins with `*` must be quoted, as \"*.example.com\"",
        ),
        ("  hosts:\n\t- a\n", "f.yaml:13"),
        ("  hosts: []\n  hosts: []\n", "this key is set twice"),
        ("   hosts: []\n  ports: []\n", "f.yaml:13"),
    ] {
        let content = format!("{good}---\n# here\n{}---\n{good}", entry(broken));
        let (documents, problems) = outcome("f.yaml", &content);
        assert_eq!(documents.len(), 2, "{broken}");
        assert_eq!(problems.len(), 1, "{broken}: {problems:?}");
        assert!(problems[0].contains(problem), "{broken}: {problems:?}");
        assert!(
            problems[0].contains(": ServiceEntry default/a: "),
            "{broken}: {problems:?}"
        );
    }
}

#[test]
fn the_body_may_stand_before_the_kind() {
    check(
        "spec:\n  hosts: [a]\n  hots: 1\nmetadata: {name: a}\nkind: ServiceEntry\napiVersion: networking.istio.io/v1\n",
        &["ServiceEntry /a @ 1"],
        &[
            "f.yaml:3: ServiceEntry default/a: spec.hots: unknown field, ignored; did you mean `hosts`?",
        ],
    );
}

#[test]
fn lists_as_kubectl_prints_them() {
    check(
        "apiVersion: v1\nitems:\n- apiVersion: networking.istio.io/v1\n  kind: ServiceEntry\n  metadata:\n    name: a\n  spec:\n    hosts:\n    - a.b\n- apiVersion: networking.istio.io/v1\n  kind: ServiceEntry\n  metadata:\n    name: b\n  spec:\n    hosts: {}\n- apiVersion: v1\n  kind: Service\n  metadata: {name: c}\n  spec: {clusterIP: None}\nkind: List\nmetadata:\n  resourceVersion: \"\"\n",
        &["ServiceEntry /a @ 3", "Service /c @ 16"],
        &["f.yaml:15: ServiceEntry default/b: spec.hosts: \"hosts: {}\": expected a list"],
    );
    check(
        "kind: ServiceEntryList\napiVersion: networking.istio.io/v1\nitems:\n  - metadata: {name: a}\n    spec: {hosts: [x]}\n  # a word\n  -\n    metadata: {name: b}\n    spec: {hosts: [x]}\n",
        &["ServiceEntry /a @ 4", "ServiceEntry /b @ 7"],
        &[],
    );
    check("apiVersion: v1\nkind: List\nitems: []\n", &[], &[]);
    check(
        "apiVersion: v1\nkind: List\nitems: [{kind: Service, apiVersion: v1}]\n",
        &[],
        &[
            "f.yaml:1: a list of documents must be written in block style, as kubectl prints it; left out",
        ],
    );
}

#[test]
fn json_of_every_form() {
    let one = |name: &str| {
        format!(
            "{{\n \"kind\": \"ServiceEntry\",\n \"apiVersion\": \"networking.istio.io/v1\", \"metadata\": {{\"name\": \"{name}\"}},\n \"spec\": {{\"hosts\": [\"x\"], \"hots\": 1}}\n}}\n"
        )
    };
    let hots = |line, name: &str| {
        format!(
            "f.yaml:{line}: ServiceEntry default/{name}: spec.hots: unknown field, ignored; did you mean `hosts`?"
        )
    };
    check(&one("a"), &["ServiceEntry /a @ 1"], &[&hots(1, "a")]);
    check(
        &format!("{}{}", one("a"), one("b")),
        &["ServiceEntry /a @ 1", "ServiceEntry /b @ 6"],
        &[&hots(1, "a"), &hots(6, "b")],
    );
    let list = format!(
        "{{\"kind\": \"List\", \"apiVersion\": \"v1\", \"items\": [\n{},\n{}]}}",
        one("a"),
        one("b")
    );
    let two = ["ServiceEntry /a @ 2", "ServiceEntry /b @ 8"];
    check(&list, &two, &[&hots(2, "a"), &hots(8, "b")]);
    check(
        &format!("[\n{},\n{}]", one("a"), one("b")),
        &two,
        &[&hots(2, "a"), &hots(8, "b")],
    );
    check(
        &format!("{}{{\"kind\": x}}\n{}", one("a"), one("b")),
        &["ServiceEntry /a @ 1", "ServiceEntry /b @ 7"],
        &[
            &hots(1, "a"),
            "f.yaml:6: \"{\\\"kind\\\": x}\": not well-formed JSON, left out: expected value",
            &hots(7, "b"),
        ],
    );
    check(
        "{apiVersion: v1, kind: Service, metadata: {name: a}}\n",
        &["Service /a @ 1"],
        &[],
    );
}

#[test]
fn the_mesh_configuration_bare_and_in_its_config_map() {
    let (documents, problems) = read(&[
        text(
            "bare",
            "outboundTrafficPolicy: {mode: REGISTRY_ONLY}\nenableTracing: true\nmeshMTLS: {minProtocolVersion: TLSV1_3}\naccesLogFile: x\n",
        ),
        text(
            "map",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: |-\n    accessLogFile: /dev/stdout\n    outboundTrafficPolicy:\n      mode: ALLOW_ANY\n      mod: x\n  meshNetworks: 'networks: {}'\n",
        ),
        text(
            "elsewhere",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio}\ndata: {mesh: 'accessLogFile: x'}\n",
        ),
        text(
            "other",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shapes}\ndata: {mesh: 'vertices: 3'}\n",
        ),
        text(
            "broken",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: |\n    accessLogFile: [\n",
        ),
    ]);
    let policies: Vec<_> = documents
        .iter()
        .filter_map(|document| match &document.content {
            Content::Mesh(mesh) => Some(mesh.outbound_policy),
            _ => None,
        })
        .collect();
    let (open, closed) = (OutboundPolicy::AllowAny, OutboundPolicy::RegistryOnly);
    assert_eq!(policies, [closed, open, open]);
    let messages: Vec<_> = problems.iter().map(Problem::to_string).collect();
    assert_eq!(
        messages,
        [
            "bare:3: MeshConfig: meshMTLS: not supported yet, ignored: it is for calls that arrive, which are not proxied; leave it out",
            "bare:4: MeshConfig: accesLogFile: unknown field, ignored; did you mean `accessLogFile`?",
            "map:9: ConfigMap istio-system/istio: data.mesh.outboundTrafficPolicy.mod: unknown field, ignored; did you mean `mode`?",
            "other:1: ConfigMap default/shapes: data.mesh: not taken for a mesh configuration: it has no field of MeshConfig",
            "broken:6: ConfigMap istio-system/istio: data.mesh: \"accessLogFile: [\": not well-formed YAML, left out: unclosed bracket '['",
        ]
    );
    let own = text("mesh.yaml", "# nothing is set\n\nrootNamespace: x\n");
    let read = super::documents(&[], Some(&own));
    assert_eq!((read.list.len(), read.problems), (1, Vec::new()));
}
