use proptest::prelude::*;

use super::*;

/// Names of containers, some of them ours.
fn container_name(list: &'static str, index: usize) -> impl Strategy<Value = String> {
    prop_oneof![
        6 => Just(format!("{list}-{index}")),
        1 => Just(names::PROXY.to_owned()),
        1 => Just(names::INIT.to_owned()),
    ]
}

fn any_port() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(8080)),
        Just(json!("http")),
        Just(json!("none")),
        Just(json!("9090"))
    ]
}

fn any_probe() -> impl Strategy<Value = Value> {
    let handler = any_port().prop_flat_map(|port| {
        prop_oneof![
            Just(json!({"httpGet": {"path": "/x", "port": port, "scheme": "HTTPS"}})),
            Just(json!({"httpGet": {"port": port}})),
            Just(json!({"tcpSocket": {"port": port}})),
            Just(json!({"grpc": {"port": 9000}})),
            Just(json!({"exec": {"command": ["x"]}})),
            Just(json!({"sleep": {"seconds": 1}})),
        ]
    });
    (handler, any::<Option<u8>>()).prop_map(|(mut probe, timeout)| {
        if let Some(timeout) = timeout {
            probe["timeoutSeconds"] = timeout.into();
        }
        probe
    })
}

fn container(list: &'static str, index: usize) -> impl Strategy<Value = Value> {
    let probes = prop::collection::vec(prop::option::of(any_probe()), 5);
    (container_name(list, index), probes, any::<bool>(), any::<bool>()).prop_map(|(name, probes, has_port, is_auto)| {
        let mut container = json!({"name": name, "image": if is_auto { "auto" } else { "x" }, "unknown": [null]});
        if has_port {
            container["ports"] = json!([{"name": "http", "containerPort": 80}]);
        }
        let keys = ["readinessProbe", "livenessProbe", "startupProbe", "preStop", "postStart"];
        for (key, probe) in keys.into_iter().zip(probes) {
            match (key, probe) {
                (_, None) => {}
                ("preStop" | "postStart", Some(hook)) => container["lifecycle"][key] = hook,
                (_, Some(probe)) => container[key] = probe,
            }
        }
        container
    })
}

fn containers_of(list: &'static str, most: usize) -> impl Strategy<Value = Vec<Value>> {
    (0..=most)
        .prop_flat_map(move |count| {
            (0..count)
                .map(move |index| container(list, index))
                .collect::<Vec<_>>()
        })
        .prop_map(|containers| {
            // Names are unique within a pod's list.
            let mut seen = Vec::new();
            let mut containers = containers;
            containers.retain(|one| {
                let own = name(one).to_owned();
                let is_new = !seen.contains(&own);
                seen.push(own);
                is_new
            });
            containers
        })
}

/// A list that may be absent, null or empty.
fn maybe(list: impl Strategy<Value = Vec<Value>>) -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        1 => Just(None),
        1 => Just(Some(Value::Null)),
        4 => list.prop_map(|list| Some(Value::Array(list))),
    ]
}

fn any_annotations() -> impl Strategy<Value = Option<Value>> {
    let one = prop_oneof![
        Just(("prometheus.io/port", "9090")),
        Just(("prometheus.io/port", "15020")),
        Just(("prometheus_io_scrape", "true")),
        Just(("prometheus.io/scrape", "false")),
        Just(("prometheus.istio.io/merge-metrics", "false")),
        Just(("sidecar.istio.io/interceptionMode", "NONE")),
        Just(("sidecar.istio.io/interceptionMode", "TPROXY")),
        Just(("sidecar.istio.io/nativeSidecar", "true")),
        Just(("sidecar.istio.io/rewriteAppHTTPProbers", "false")),
        Just(("status.sidecar.istio.io/port", "0")),
        Just(("status.sidecar.istio.io/port", "9")),
        Just(("sidecar.istio.io/userVolume", "{\"u\":{\"emptyDir\":{}}}")),
        Just((
            "proxy.istio.io/config",
            "holdApplicationUntilProxyStarts: true"
        )),
        Just(("inject.istio.io/templates", "gateway")),
        Just(("istio.io/rev", "mine")),
        Just(("kubectl.kubernetes.io/default-container", "app-1")),
        Just(("team", "a")),
    ];
    let map = prop::collection::vec(one, 0..5).prop_map(|pairs| {
        let map: Map<String, Value> = pairs
            .into_iter()
            .map(|(key, value)| (key.to_owned(), json!(value)))
            .collect();
        Value::Object(map)
    });
    prop_oneof![1 => Just(None), 1 => Just(Some(Value::Null)), 6 => map.prop_map(Some)]
}

fn any_labels() -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        Just(None),
        Just(Some(Value::Null)),
        Just(Some(json!({}))),
        Just(Some(json!({"app": "a", "version": "v1"}))),
        Just(Some(json!({"service.istio.io/canonical-name": "own"}))),
    ]
}

prop_compose! {
    fn any_pod()(
        containers in maybe(containers_of("app", 3)),
        init in maybe(containers_of("init", 2)),
        volumes in maybe(Just(vec![json!({"name": "istio-podinfo"}), json!({"name": "v"})])),
        secrets in maybe(Just(vec![json!({"name": "pull"})])),
        labels in any_labels(),
        annotations in any_annotations(),
        has_metadata in any::<bool>(),
    ) -> Value {
        let mut pod = json!({"spec": {"unknown": {"a": null}}});
        let mut set = |part: &str, key: &str, value: Option<Value>| {
            if let Some(value) = value {
                pod[part][key] = value;
            }
        };
        set("spec", "containers", containers);
        set("spec", "initContainers", init);
        set("spec", "volumes", volumes);
        set("spec", "imagePullSecrets", secrets);
        if has_metadata {
            set("metadata", "labels", labels);
            set("metadata", "annotations", annotations);
        }
        pod
    }
}

fn settings() -> Settings {
    Settings {
        image_pull_secrets: vec!["pull".to_owned(), "other".to_owned()],
        injected_annotations: vec![("team".to_owned(), "b".to_owned())],
        ..Settings::default()
    }
}

fn injected(pod: &Value) -> Option<Value> {
    let owner = Owner {
        name: "w".to_owned(),
        ..Owner::default()
    };
    match inject(pod, &owner, &settings(), &mut Notices::default()) {
        Outcome::Injected(pod) => Some(pod),
        Outcome::Skipped(_) | Outcome::Refused => None,
    }
}

proptest! {
    #[test]
    fn uninjecting_gives_the_pod_back(pod in any_pod()) {
        let once = injected(&pod).expect("nothing forbids injection");
        prop_assert_ne!(&once, &pod);
        prop_assert_eq!(uninject(&once), Some(pod));
    }

    #[test]
    fn injecting_again_changes_nothing(pod in any_pod()) {
        let once = injected(&pod).expect("nothing forbids injection");
        let twice = injected(&once).expect("nothing forbids injection");
        prop_assert_eq!(json::write(&twice, 0), json::write(&once, 0));
    }

    #[test]
    fn a_pod_that_was_never_injected_stays(pod in any_pod()) {
        prop_assert_eq!(uninject(&pod), None);
    }
}

#[test]
fn a_wrong_value_refuses_the_pod() {
    let pod = json!({"metadata": {"annotations": {"sidecar.istio.io/proxyCPU": "x"}}, "spec": {}});
    assert_eq!(injected(&pod), None);
    let volume = json!({"sidecar.istio.io/userVolume": "{\"v\":{\"emptyDir\":{}}}"});
    let pod = json!({"metadata": {"annotations": volume}, "spec": {"volumes": [{"name": "v"}]}});
    assert_eq!(injected(&pod), None);
}
