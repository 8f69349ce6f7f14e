use egret_config::load::{Text, documents};
use egret_config::snapshot::workload::Mode;

use super::*;

#[test]
fn problems_are_of_documents_of_what_meets_and_of_what_users_regret() {
    let yaml = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: a}
spec: {hosts: [a.com], ports: [{number: 3306, name: tcp, protocol: TCP}], resolution: DNS, colour: red}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: b, namespace: other}
spec: {hosts: [a.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}
";
    let text = Text {
        file: "a.yaml".into(),
        bytes: yaml.as_bytes().to_vec(),
    };
    let input = Input {
        documents: documents(&[text], None),
        fingerprint: 0,
        files: Vec::new(),
    };
    let terms = Terms {
        workload: Workload::new(Mode::Sidecar, "default"),
        ignore_authorization_policies: false,
    };
    let (_, loaded) = compile(input, &terms, None);
    let told: Vec<_> = loaded
        .problems
        .iter()
        .map(|problem| (&*problem.object, &*problem.field))
        .collect();
    assert_eq!(
        told,
        [
            ("ServiceEntry default/a", "spec.colour"),
            ("ServiceEntry other/b", "spec.hosts"),
            ("ServiceEntry default/a", "spec.ports[0]"),
        ]
    );
}
