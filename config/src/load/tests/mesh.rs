use super::*;

fn config_map(namespace: &str, name: &str, mesh: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: {namespace}}}\ndata:\n  mesh: '{mesh}'\n---\n"
    )
}

fn policy(mode: &str) -> String {
    format!("outboundTrafficPolicy: {{mode: {mode}}}\n")
}

/// The outbound policy of some texts, and the problems.
fn outcome(texts: &[(&str, &str)], mesh_config: Option<&str>) -> (OutboundPolicy, Vec<String>) {
    let texts: Vec<Text> = texts.iter().map(|(file, yaml)| text(file, yaml)).collect();
    let mesh_config = mesh_config.map(|yaml| text("mesh", yaml));
    let (objects, problems) = load(&texts, mesh_config.as_ref());
    let problems = problems
        .iter()
        .map(|problem| format!("{}: {problem}", problem.severity));
    (objects.mesh.outbound_policy, problems.collect())
}

#[test]
fn the_config_map_of_any_installation_counts() {
    for (namespace, name) in [
        ("istio-system", "istio"),
        ("istio-system", "istio-1-24"),
        ("istio-system", "istio-canary"),
        ("mesh", "istio"),
        ("mesh", "settings"),
    ] {
        let yaml = config_map(namespace, name, policy("REGISTRY_ONLY").trim());
        let (policy, problems) = outcome(&[("a", &yaml)], None);
        assert_eq!(policy, OutboundPolicy::RegistryOnly, "{namespace}/{name}");
        assert_eq!(problems, Vec::<String>::new(), "{namespace}/{name}");
    }
}

#[test]
fn of_several_one_counts_and_the_others_are_warnings() {
    let map =
        |namespace: &str, name: &str, mode: &str| config_map(namespace, name, policy(mode).trim());
    let open = |namespace, name| map(namespace, name, "ALLOW_ANY");
    let closed = |namespace, name| map(namespace, name, "REGISTRY_ONLY");
    let bare = format!("{}---\n", policy("REGISTRY_ONLY"));
    for (first, second) in [
        (bare, open("istio-system", "istio")),
        (
            closed("istio-system", "istio"),
            open("istio-system", "istio-1-24"),
        ),
        (closed("istio-system", "istio"), open("other", "istio")),
        (closed("mesh", "istio"), open("istio-system", "istio-1-24")),
        (
            closed("istio-system", "istio-1-24"),
            open("other", "istio-1-24"),
        ),
    ] {
        for yaml in [format!("{first}{second}"), format!("{second}{first}")] {
            let (policy, problems) = outcome(&[("a", &yaml)], None);
            assert_eq!(policy, OutboundPolicy::RegistryOnly, "{yaml}");
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].starts_with("warning: a:"), "{problems:?}");
            assert!(
                problems[0].contains("ignored: a mesh has one configuration"),
                "{problems:?}"
            );
        }
    }
    // Two alike: the later one.
    let two = open("istio-system", "istio-1-23") + &closed("istio-system", "istio-1-24");
    assert_eq!(
        outcome(&[("a", &two)], None).0,
        OutboundPolicy::RegistryOnly
    );
}

#[test]
fn the_flag_comes_before_all_and_is_named() {
    let map = config_map("istio-system", "istio", policy("ALLOW_ANY").trim());
    let (mode, problems) = outcome(&[("a", &map)], Some(&policy("REGISTRY_ONLY")));
    assert_eq!(mode, OutboundPolicy::RegistryOnly);
    assert_eq!(
        problems,
        [
            "warning: a:1: MeshConfig istio-system/istio: ignored: a mesh has one configuration, and that of mesh \
             (--mesh-config) comes first; remove it, or name the one that counts with --mesh-config"
        ]
    );
    // An empty one is valid, with Istio's defaults.
    let (mode, problems) = outcome(&[("a", &policy("REGISTRY_ONLY"))], Some(""));
    assert_eq!(mode, OutboundPolicy::AllowAny);
    assert!(
        problems
            .iter()
            .any(|one| one.contains("mesh: no mesh configuration in it")),
        "{problems:?}"
    );
}

#[test]
fn what_cannot_be_read_closes_the_mesh() {
    let operator = "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {name: i, namespace: istio-system}\n";
    for (yaml, part) in [
        ("outboundTrafficPolicy: {mode: REGISTRY_ONLY\n".to_owned(), "not well-formed"),
        ("outboundTrafficPolicy: [REGISTRY_ONLY]\n".to_owned(), "expected a mapping"),
        (config_map("istio-system", "istio", "outboundTrafficPolicy: {"), "not well-formed"),
        (config_map("istio-system", "istio", ""), "data.mesh"),
        (
            format!("{operator}spec: {{meshConfig: {{outboundTrafficPolicy: {{mode: REGISTRY_ONLY}}}}}}\n"),
            "spec.meshConfig",
        ),
        (
            format!("{operator}spec: {{values: {{meshConfig: {{outboundTrafficPolicy: {{mode: REGISTRY_ONLY}}}}}}}}\n"),
            "spec.values.meshConfig",
        ),
        (
            "global: {hub: x}\nmeshConfig: {outboundTrafficPolicy: {mode: REGISTRY_ONLY}}\npilot: {}\n".to_owned(),
            "Helm values",
        ),
    ] {
        for (texts, mesh_config) in [(vec![("a", &*yaml)], None), (Vec::new(), Some(&*yaml))] {
            let (policy, problems) = outcome(&texts, mesh_config);
            assert_eq!(policy, OutboundPolicy::RegistryOnly, "{yaml} {problems:?}");
            let error = |one: &String| one.starts_with("error: ") && one.contains(part);
            assert!(problems.iter().any(error), "{yaml}: {problems:?}");
        }
    }
    // Where another can be read, it counts.
    let broken = "outboundTrafficPolicy: {mode: REGISTRY_ONLY\n";
    let open = policy("ALLOW_ANY");
    assert_eq!(
        outcome(&[("a", broken), ("b", &open)], None).0,
        OutboundPolicy::AllowAny
    );
}

#[test]
fn an_installation_names_the_field_to_use() {
    let operator = "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {name: i, namespace: istio-system}\nspec: {meshConfig: {accessLogFile: /dev/stdout}}\n";
    let (policy, problems) = outcome(&[("a", operator)], None);
    assert_eq!(
        policy,
        OutboundPolicy::AllowAny,
        "it does not close the mesh"
    );
    assert_eq!(problems.len(), 1, "{problems:?}");
    for part in [
        "error: a:1: IstioOperator istio-system/i: spec.meshConfig: ",
        "--mesh-config",
        "kubectl get configmap istio",
    ] {
        assert!(problems[0].contains(part), "{problems:?}");
    }
    let plain = "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {name: i}\nspec: {profile: demo}\n";
    let (_, problems) = outcome(&[("a", plain)], None);
    assert!(
        problems[0].starts_with("warning: a:1: IstioOperator default/i: "),
        "{problems:?}"
    );
}
