//! The init container, which redirects the pod's connections. Its arguments are istio-iptables', in Istio's order.

use egret_config::port::well_known;
use serde_json::{Map, Value, json};

use crate::containers::{add_common, add_seccomp, image, resources};
use crate::names;
use crate::plan::Plan;
use crate::proxy_config::Interception;

/// The init container; `None` where nothing is redirected.
pub fn init(plan: &Plan<'_>) -> Option<Value> {
    if plan.interception == Interception::None {
        return None;
    }
    let settings = plan.settings;
    let mut container = Map::new();
    container.insert("name".to_owned(), json!(names::INIT));
    container.insert("image".to_owned(), json!(image(plan, &settings.init_image)));
    container.insert("args".to_owned(), json!(arguments(plan)));
    if !plan.config.metadata.is_empty() {
        let env = plan.config.metadata.iter();
        let env = env.map(|(name, value)| json!({"name": name, "value": value}));
        container.insert("env".to_owned(), env.collect());
    }
    let default = settings
        .init_resources
        .as_ref()
        .unwrap_or(&settings.resources);
    add_common(
        &mut container,
        plan,
        resources(&plan.annotations.resources, default),
    );
    let mut context = json!({
        "allowPrivilegeEscalation": settings.is_privileged,
        "capabilities": {"add": ["NET_ADMIN", "NET_RAW"], "drop": ["ALL"]},
        "privileged": settings.is_privileged,
        "readOnlyRootFilesystem": true,
        "runAsGroup": 0,
        "runAsNonRoot": false,
        "runAsUser": 0,
    });
    add_seccomp(&mut context, plan);
    container.insert("securityContext".to_owned(), context);
    Some(Value::Object(container))
}

fn arguments(plan: &Plan<'_>) -> Vec<String> {
    let (settings, own) = (plan.settings, plan.annotations);
    let value = |own: &Option<String>, default: &str| own.as_deref().unwrap_or(default).to_owned();
    let uid = match plan.interception {
        Interception::Tproxy => None,
        _ => plan.author_uid,
    };
    let mut arguments = vec!["istio-iptables".to_owned()];
    let mut add = |flag: &str, value: String| arguments.extend([flag.to_owned(), value]);
    add("-p", settings.mesh.outbound_port.to_string());
    add("-z", settings.mesh.inbound_port.to_string());
    add("-u", uid.unwrap_or(names::PROXY_ID.into()).to_string());
    add("-m", plan.interception.name().to_owned());
    add(
        "-i",
        value(&own.include_outbound_ip_ranges, &settings.include_ip_ranges),
    );
    add(
        "-x",
        value(&own.exclude_outbound_ip_ranges, &settings.exclude_ip_ranges),
    );
    add(
        "-b",
        value(&own.include_inbound_ports, &settings.include_inbound_ports),
    );
    add("-d", excluded_inbound(plan));
    for (flag, own, default) in [
        (
            "-q",
            &own.include_outbound_ports,
            settings.include_outbound_ports.as_str(),
        ),
        (
            "-o",
            &own.exclude_outbound_ports,
            settings.exclude_outbound_ports.as_str(),
        ),
        ("-k", &own.virtual_interfaces, ""),
        ("-c", &own.exclude_interfaces, ""),
    ] {
        if own.is_some() || !default.is_empty() {
            add(flag, value(own, default));
        }
    }
    let level = value(&own.agent_log_level, &settings.agent_log_level);
    arguments.push(format!("--log_output_level={level}"));
    if settings.log_as_json {
        arguments.push("--log_as_json".to_owned());
    }
    if settings.forces_rules {
        arguments.push("--force-apply".to_owned());
    }
    arguments
}

/// The inbound ports that are not redirected: the proxy's own, the pod's, and the agent's unless the pod names it.
fn excluded_inbound(plan: &Plan<'_>) -> String {
    let own = plan.annotations.exclude_inbound_ports.as_ref();
    let own = own.unwrap_or(&plan.settings.exclude_inbound_ports);
    let status = plan.status_port.to_string();
    let rest = if plan.status_port == 0 || own.split(',').any(|port| port == status) {
        own.clone()
    } else {
        let ports = own
            .split(',')
            .map(str::trim)
            .filter(|port| !port.is_empty());
        let ports: Vec<&str> = ports.chain([status.as_str()]).collect();
        ports.join(",")
    };
    let always = format!("{},{}", well_known::STATS, well_known::HEALTH);
    match rest.as_str() {
        "" => always,
        rest => format!("{always},{rest}"),
    }
}
