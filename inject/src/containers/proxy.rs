//! The container of the proxy.

use egret_config::port::well_known;
use serde_json::{Map, Value, json};

use crate::annotations::{Template, finest_level};
use crate::containers::{add_common, add_seccomp, image, resources};
use crate::names;
use crate::plan::Plan;
use crate::proxy_config::Interception;
use crate::tree::set_env;
use crate::volumes;

/// The container of the proxy, without the variables that come of probes and Prometheus annotations.
pub fn proxy(plan: &Plan<'_>) -> Value {
    let mut container = Map::new();
    let mut add = |key: &str, value: Value| container.insert(key.to_owned(), value);
    add("name", json!(names::PROXY));
    add("image", json!(image(plan, &plan.settings.proxy_image)));
    if plan.is_native {
        add("restartPolicy", json!("Always"));
    }
    add("args", json!(arguments(plan)));
    add(
        "ports",
        json!([{"containerPort": well_known::STATS, "name": "http-envoy-prom", "protocol": "TCP"}]),
    );
    add("env", Value::Array(variables(plan)));
    if let Some(lifecycle) = lifecycle(plan) {
        add("lifecycle", lifecycle);
    }
    add_probes(&mut container, plan);
    let own = resources(&plan.annotations.resources, &plan.settings.resources);
    add_common(&mut container, plan, own);
    container.insert("securityContext".to_owned(), security_context(plan));
    container.insert(
        "volumeMounts".to_owned(),
        Value::Array(volumes::mounts(plan)),
    );
    Value::Object(container)
}

fn arguments(plan: &Plan<'_>) -> Vec<String> {
    let (settings, own) = (plan.settings, plan.annotations);
    let level = own.log_level.as_ref().unwrap_or(&settings.log_level);
    let agent_level = own
        .agent_log_level
        .as_ref()
        .unwrap_or(&settings.agent_log_level);
    // Levels were checked when they were read.
    let level = finest_level(level, agent_level).unwrap_or("info");
    let mut arguments = vec!["run".to_owned()];
    if own.template == Template::Gateway {
        arguments.push("--mode=gateway".to_owned());
    }
    arguments.push(format!("--log-level={level}"));
    if settings.log_as_json {
        arguments.push("--log-format=json".to_owned());
    }
    let mut port = |flag: &str, port: u16, default: u16| {
        if port != default {
            arguments.push(format!("--{flag}={port}"));
        }
    };
    if own.template == Template::Sidecar {
        port(
            "outbound-port",
            settings.mesh.outbound_port,
            well_known::OUTBOUND,
        );
        port(
            "inbound-port",
            settings.mesh.inbound_port,
            well_known::INBOUND,
        );
    }
    if plan.status_port != 0 && plan.status_port != well_known::AGENT {
        arguments.push(format!("--agent=0.0.0.0:{}", plan.status_port));
    }
    if let Some(threads) = plan.config.concurrency.filter(|threads| *threads > 0) {
        arguments.push(format!("--threads={threads}"));
    }
    arguments
}

fn variables(plan: &Plan<'_>) -> Vec<Value> {
    let (settings, owner) = (plan.settings, plan.owner);
    let fields = [
        ("POD_NAME", "metadata.name"),
        ("POD_NAMESPACE", "metadata.namespace"),
        ("INSTANCE_IP", "status.podIP"),
        ("SERVICE_ACCOUNT", "spec.serviceAccountName"),
        ("HOST_IP", "status.hostIP"),
    ];
    let fields = fields
        .iter()
        .map(|(name, path)| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}));
    let mut env: Vec<Value> = fields.collect();
    let mut add = |name: &str, value: &str| {
        if !value.is_empty() {
            set_env(&mut env, name, value);
        }
    };
    add("PROXY_CONFIG", &plan.config.variable(&settings.mesh.proxy));
    add("ISTIO_META_APP_CONTAINERS", &plan.app_containers.join(","));
    add("ISTIO_META_CLUSTER_ID", &settings.cluster);
    add("ISTIO_META_INTERCEPTION_MODE", plan.interception.name());
    add("ISTIO_META_NETWORK", &settings.network);
    add("ISTIO_META_WORKLOAD_NAME", &plan.workload);
    if !owner.api_version.is_empty() && !owner.name.is_empty() {
        let namespace = match owner.namespace.as_str() {
            "" => "default",
            namespace => namespace,
        };
        let (version, kind) = (&owner.api_version, owner.kind.to_lowercase());
        add(
            "ISTIO_META_OWNER",
            &format!(
                "kubernetes://apis/{version}/namespaces/{namespace}/{kind}s/{}",
                owner.name
            ),
        );
    }
    add(
        "ISTIO_META_MESH_ID",
        match settings.mesh_id.as_str() {
            "" => &settings.mesh.trust_domain,
            mesh => mesh,
        },
    );
    add("EGRET_CONFIG_SOURCE", plan.config_source());
    add("EGRET_CONFIG_CACHE", volumes::CACHE_PATH);
    if plan.uses_hub() {
        add("EGRET_HUB", settings.hub.as_deref().unwrap_or_default());
        add(
            "EGRET_HUB_CA",
            settings.hub_ca.as_deref().unwrap_or_default(),
        );
    }
    for (name, value) in &plan.config.metadata {
        set_env(&mut env, name, value);
    }
    env
}

/// What the kubelet runs: `wait` before the application's containers start, or a drain before they end.
fn lifecycle(plan: &Plan<'_>) -> Option<Value> {
    if plan.holds {
        return Some(json!({"postStart": {"exec": {"command": ["egret-proxy", "wait"]}}}));
    }
    if let Some(own) = &plan.settings.lifecycle {
        return Some(own.clone());
    }
    let port = match plan.status_port {
        0 => well_known::AGENT,
        port => port,
    };
    plan.is_native.then(|| {
        let command = [
            "pilot-agent",
            "request",
            &format!("--debug-port={port}"),
            "POST",
            "drain",
        ];
        json!({"preStop": {"exec": {"command": command}}})
    })
}

fn add_probes(container: &mut Map<String, Value>, plan: &Plan<'_>) {
    if plan.status_port == 0 {
        return;
    }
    let (settings, own) = (plan.settings, plan.annotations);
    let get = json!({"path": "/healthz/ready", "port": well_known::HEALTH});
    if let Some(failures) = settings.startup_failures {
        let probe = json!({
            "httpGet": get,
            "initialDelaySeconds": 0,
            "periodSeconds": 1,
            "timeoutSeconds": 3,
            "failureThreshold": failures,
        });
        container.insert("startupProbe".to_owned(), probe);
    }
    let probe = json!({
        "httpGet": get,
        "initialDelaySeconds": own.readiness_initial_delay.unwrap_or(settings.readiness_initial_delay),
        "periodSeconds": own.readiness_period.unwrap_or(settings.readiness_period),
        "timeoutSeconds": 3,
        "failureThreshold": own.readiness_failures.unwrap_or(settings.readiness_failures),
    });
    container.insert("readinessProbe".to_owned(), probe);
}

fn security_context(plan: &Plan<'_>) -> Value {
    let is_privileged = plan.settings.is_privileged;
    let mut capabilities = Map::new();
    let mut added = Vec::new();
    if plan.interception == Interception::Tproxy {
        added.push("NET_ADMIN");
    }
    if plan.binds_low_ports() {
        added.push("NET_BIND_SERVICE");
    }
    if !added.is_empty() {
        capabilities.insert("add".to_owned(), json!(added));
    }
    capabilities.insert("drop".to_owned(), json!(["ALL"]));
    let user = match plan.is_root() {
        true => 0,
        false => names::PROXY_ID,
    };
    let mut context = json!({
        "allowPrivilegeEscalation": is_privileged,
        "capabilities": capabilities,
        "privileged": is_privileged,
        "readOnlyRootFilesystem": true,
        "runAsGroup": names::PROXY_ID,
        "runAsNonRoot": !plan.is_root(),
        "runAsUser": user,
    });
    add_seccomp(&mut context, plan);
    context
}
