use serde_json::json;

use super::*;

fn found(mut document: Value) -> Vec<(String, String, Owner)> {
    let mut found = Vec::new();
    each_pod(&mut document, &mut |site| {
        found.push((site.title, site.path, site.owner))
    });
    found
}

fn workload(version: &str, kind: &str) -> Value {
    let metadata = json!({"name": "w", "namespace": "n"});
    let template = json!({"spec": {"containers": []}});
    match kind {
        "Pod" => json!({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": {}}),
        "CronJob" => {
            let job = json!({"spec": {"template": template}});
            json!({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": {"jobTemplate": job}})
        }
        _ => {
            json!({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": {"template": template}})
        }
    }
}

#[test]
fn each_kind_has_its_pod() {
    for (version, kind, path) in [
        ("v1", "Pod", ""),
        ("apps/v1", "Deployment", "/spec/template"),
        ("extensions/v1beta1", "Deployment", "/spec/template"),
        ("apps/v1", "StatefulSet", "/spec/template"),
        ("apps/v1", "DaemonSet", "/spec/template"),
        ("apps/v1", "ReplicaSet", "/spec/template"),
        ("v1", "ReplicationController", "/spec/template"),
        ("batch/v1", "Job", "/spec/template"),
        (
            "batch/v1beta1",
            "CronJob",
            "/spec/jobTemplate/spec/template",
        ),
        ("argoproj.io/v1alpha1", "Rollout", "/spec/template"),
        ("apps.openshift.io/v1", "DeploymentConfig", "/spec/template"),
    ] {
        let owner = Owner {
            api_version: version.to_owned(),
            kind: kind.to_owned(),
            name: "w".to_owned(),
            namespace: "n".to_owned(),
        };
        let expected = (format!("{kind} n/w"), path.to_owned(), owner);
        assert_eq!(found(workload(version, kind)), [expected], "{kind}");
    }
}

#[test]
fn other_objects_have_none() {
    for document in [
        workload("batch.volcano.sh/v1alpha1", "Job"),
        json!({"kind": "Service", "spec": {"template": {"spec": {}}}}),
        json!({"kind": "Deployment", "apiVersion": "apps/v1", "spec": {"template": null}}),
        json!({"kind": "Deployment", "apiVersion": "apps/v1"}),
        json!(["a"]),
        json!("text"),
        Value::Null,
    ] {
        assert_eq!(found(document), []);
    }
}

#[test]
fn lists_are_looked_into() {
    let mut bare = workload("apps/v1", "Deployment");
    bare.as_object_mut().unwrap().remove("kind");
    let inner = json!({"kind": "DeploymentList", "items": [bare]});
    let items = json!([workload("v1", "Pod"), {"kind": "Service"}, inner]);
    let paths: Vec<String> = found(json!({"kind": "List", "items": items}))
        .into_iter()
        .map(|(_, path, _)| path)
        .collect();
    assert_eq!(paths, ["/items/0", "/items/2/items/0/spec/template"]);
}

#[test]
fn a_pod_names_its_workload() {
    for (kind, name, labels, expected) in [
        (
            "ReplicaSet",
            "web-5d",
            json!({"pod-template-hash": "5d"}),
            ("Deployment", "web"),
        ),
        (
            "ReplicaSet",
            "web-5d",
            json!({"rollouts-pod-template-hash": "5d"}),
            ("Rollout", "web"),
        ),
        ("ReplicaSet", "web", json!({}), ("ReplicaSet", "web")),
        ("Job", "tidy-28912345", json!({}), ("CronJob", "tidy")),
        ("Job", "tidy-1", json!({}), ("Job", "tidy-1")),
        (
            "ReplicationController",
            "dc-1",
            json!({"deploymentconfig": "dc"}),
            ("DeploymentConfig", "dc"),
        ),
        ("StatefulSet", "db", json!({}), ("StatefulSet", "db")),
    ] {
        let reference =
            json!({"apiVersion": "apps/v1", "kind": kind, "name": name, "controller": true});
        let pod = json!({"metadata": {"generateName": "x-", "labels": labels, "ownerReferences": [reference]}});
        let owner = owner_of_pod(&pod);
        assert_eq!((owner.kind.as_str(), owner.name.as_str()), expected);
    }
}
