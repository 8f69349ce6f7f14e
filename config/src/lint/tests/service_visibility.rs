//! Services that no namespace sees, and namespaces with the same view.

use super::*;

#[test]
fn services_visible_to_no_namespace() {
    let sidecar = |namespace: &str, hosts: &str| {
        format!(
            "\napiVersion: NET/v1\nkind: Sidecar\nmetadata: {{name: s, namespace: {namespace}}}\nspec: {{egress: [{{hosts: {hosts}}}]}}\n---"
        )
    };
    let private = A_COM.replace("resolution: DNS", "resolution: DNS, exportTo: ['.']");
    let nobody = A_COM.replace("resolution: DNS", "resolution: DNS, exportTo: ['~']");
    check(
        &nobody,
        &["ServiceEntry default/a | spec.exportTo | exported to no namespace"],
    );
    check(&private, &[]);
    let other = sidecar("default", "['istio-system/*']");
    check(
        &format!("{private}{other}"),
        &["ServiceEntry default/a | spec.exportTo | Sidecar default/s does not import it"],
    );
    check(&format!("{A_COM}{other}"), &[]);
    check(&format!("{private}{}", sidecar("default", "['./*']")), &[]);
    check(
        &format!("{private}{}", sidecar("default", "['*/a.com']")),
        &[],
    );
    check(
        &format!("{A_COM}{}", sidecar("istio-system", "['./*']")),
        &["ServiceEntry default/a | spec.hosts | Sidecar istio-system/s does not import it"],
    );
}

#[test]
fn problems_name_the_sidecar_that_excludes_a_service() {
    let objects = |app: &str| {
        format!(
            "
apiVersion: NET/v1
kind: ServiceEntry
metadata: {{name: a}}
spec: {{hosts: [a.com], exportTo: [shop], ports: [{{number: 80, name: http, protocol: HTTP}}], resolution: DNS}}
---
apiVersion: NET/v1
kind: Sidecar
metadata: {{name: narrow, namespace: shop}}
spec: {{workloadSelector: {{labels: {{app: web}}}}, egress: [{{hosts: ['./*']}}]}}
---
apiVersion: NET/v1
kind: Sidecar
metadata: {{name: wide, namespace: shop}}
spec: {{workloadSelector: {{labels: {{app: batch}}}}, egress: [{{hosts: ['*/*']}}]}}
---
apiVersion: v1
kind: Pod
metadata: {{name: p, namespace: shop, labels: {{app: {app}}}}}
status: {{podIP: 10.0.0.7}}
"
        )
    };
    check(
        &objects("web"),
        &[
            "ServiceEntry default/a | spec.exportTo | no sidecar sees this host: Sidecar shop/narrow does not import it",
        ],
    );
    for app in ["batch", "other"] {
        check(&objects(app), &[]);
    }
}

#[test]
fn namespaces_that_see_the_same_are_looked_at_once() {
    let entry = |namespace: &str, host: &str, more: &str| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: a, namespace: {namespace}}}\n\
             spec: {{hosts: [{host}], {more} ports: [{{number: 80, name: http, protocol: HTTP}}], resolution: DNS}}\n---\n"
        )
    };
    let rule = |namespace: &str, host: &str| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: a, namespace: {namespace}}}\n\
             spec: {{host: {host}, trafficPolicy: {{loadBalancer: {{simple: RANDOM}}}}}}\n---\n"
        )
    };
    let yaml = entry("n1", "a.com", "")
        + &entry("n2", "b.com", "")
        + &entry("n3", "c.com", "exportTo: [n4],")
        + &entry("n4", "d.com", "")
        + &entry("n5", "e.com", "")
        + &rule("n5", "e.com")
        + &entry("n6", "f.com", "")
        + &rule("n6", "a.com");
    let text = Text {
        file: "a.yaml".into(),
        bytes: yaml.into_bytes(),
    };
    let (objects, _) = load(&[text], None);
    let viewers = crate::lint::workloads::workloads(&objects);
    let counts: Vec<_> = viewers
        .iter()
        .map(|viewer| (&*viewer.workload.namespace, viewer.alike))
        .collect();
    // n1 represents n2, n3 and n5; n4 sees more, and n6 has a rule of its own for what is another's.
    assert_eq!(counts, [("n1", 3), ("n4", 0), ("n6", 0)]);
}

/// What is wrong with a Telemetry shows only to the workloads that it is for.
#[test]
fn telemetries_have_viewers() {
    let telemetry = |namespace: &str, selector: &str| {
        format!(
            "---\napiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {{name: t{}, namespace: {namespace}}}\nspec: {{{selector}}}\n",
            selector.len()
        )
    };
    let selector = "selector: {matchLabels: {app: cart}}";
    let viewers = |content: &str| {
        let (objects, problems) = load(
            &[Text {
                file: "f".into(),
                bytes: content.into(),
            }],
            None,
        );
        assert!(problems.is_empty(), "{problems:?}");
        let viewers = crate::lint::workloads::workloads(&objects).into_iter();
        let viewers = viewers.map(|viewer| {
            let labels = viewer
                .workload
                .labels
                .value("app")
                .unwrap_or_default()
                .to_owned();
            format!("{} {labels}", viewer.workload.namespace)
        });
        viewers.collect::<Vec<_>>()
    };
    assert_eq!(viewers(&telemetry("istio-system", "")), ["default "]);
    assert_eq!(viewers(&telemetry("shop", "")), ["shop "]);
    assert_eq!(
        viewers(&telemetry("shop", selector)),
        ["shop ", "shop cart"]
    );
    assert_eq!(
        viewers(&telemetry("istio-system", selector)),
        ["istio-system cart"]
    );
}
