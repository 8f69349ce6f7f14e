//! The stories, step by step: from open to governed, and TLS from the gateway.

use egret_tests::folder::fixture;
use egret_tests::places::{ALIYUN, CNN, EGRESS_GATEWAY, Located, SLEEP};
use serde_json::Value;

use crate::stage::{Call, Stage, latest};

/// aliyun.com: first anything goes, then nothing, then what is registered, then through the gateway.
pub(crate) fn open_to_governed(stage: &Stage<'_>) -> anyhow::Result<usize> {
    let call = ["aliyun.com", "-I"];
    stage.teller.title("From open to governed");
    let mut failed = 0;

    stage.teller.step("1  ALLOW_ANY, nothing is registered");
    failed += Step {
        caller: Who::Sleep,
        call: &call,
        expectation: "301 from the origin, which saw the pod",
        logged_by: Who::Sleep,
    }
    .play(stage, |call| {
        call.answer.status == 301
            && call
                .answer
                .header("x-envoy-upstream-service-time")
                .is_some()
            && from_pod(call)
    })?;

    stage.teller.step("2  REGISTRY_ONLY");
    let mesh = fixture("mesh/registry-only.yaml")?;
    stage.config.write("mesh.yaml", &mesh)?;
    stage
        .teller
        .change("mesh.yaml: outboundTrafficPolicy.mode is REGISTRY_ONLY");
    failed += Step {
        caller: Who::Sleep,
        call: &call,
        expectation: "502 from the sidecar, and the origin saw nothing",
        logged_by: Who::Sleep,
    }
    .play(stage, |call| {
        call.answer.status == 502 && call.seen.is_none()
    })?;

    stage.teller.step("3  A ServiceEntry registers aliyun.com");
    replace(stage, &[], &["open_to_governed/service-entry.yaml"])?;
    failed += Step {
        caller: Who::Sleep,
        call: &call,
        expectation: "301 from the origin, which saw the pod",
        logged_by: Who::Sleep,
    }
    .play(stage, |call| call.answer.status == 301 && from_pod(call))?;

    stage
        .teller
        .step("4  Through the egress gateway: a Gateway and a VirtualService");
    replace(
        stage,
        &[],
        &[
            "open_to_governed/gateway.yaml",
            "open_to_governed/virtual-service.yaml",
        ],
    )?;
    failed += Step {
        caller: Who::Sleep,
        call: &call,
        expectation: "301 from the origin, which saw the gateway",
        logged_by: Who::Gateway,
    }
    .play(stage, |call| {
        call.answer.status == 301 && from_gateway(call)
    })?;

    replace(
        stage,
        &[
            "open_to_governed/service-entry.yaml",
            "open_to_governed/gateway.yaml",
            "open_to_governed/virtual-service.yaml",
        ],
        &[],
    )?;
    Ok(failed)
}

/// edition.cnn.com: plain HTTP in the pod, HTTPS from the gateway.
pub(crate) fn tls_from_the_gateway(stage: &Stage<'_>) -> anyhow::Result<usize> {
    let call = ["http://edition.cnn.com/politics"];
    stage.teller.title("HTTP in the pod, TLS from the gateway");
    let mut failed = 0;

    stage
        .teller
        .step("1  A ServiceEntry registers edition.cnn.com");
    replace(stage, &[], &["tls_from_the_gateway/service-entry.yaml"])?;
    failed += Step {
        caller: Who::Sleep,
        call: &call,
        expectation: "301 to https from the origin, which saw the pod",
        logged_by: Who::Sleep,
    }
    .play(stage, |call| call.answer.status == 301 && from_pod(call))?;

    stage
        .teller
        .step("2  A Gateway for port 443, and no route yet");
    replace(stage, &[], &["tls_from_the_gateway/gateway.yaml"])?;
    // A sidecar would route the call by its Host; what the gateway answers is seen beside it.
    let at_gateway = format!("http://{}:443/politics", EGRESS_GATEWAY.v4());
    let direct = ["-H", "Host: edition.cnn.com", &at_gateway];
    failed += Step {
        caller: Who::Gateway,
        call: &direct,
        expectation: "404 from the gateway",
        logged_by: Who::Gateway,
    }
    .play(stage, |call| {
        call.answer.status == 404 && call.seen.is_none()
    })?;
    let routes = stage.gateway.page("/routes")?;
    stage.teller.page(
        "http://127.0.0.1:15000/routes at the gateway",
        &routes.body.lines().take(12).collect::<Vec<_>>(),
    );

    stage
        .teller
        .step("3  A VirtualService and two DestinationRules: the gateway originates TLS");
    let rest = [
        "tls_from_the_gateway/gateway-subset.yaml",
        "tls_from_the_gateway/virtual-service.yaml",
        "tls_from_the_gateway/originate-tls.yaml",
    ];
    replace(stage, &[], &rest)?;
    failed += Step {
        caller: Who::Sleep,
        call: &call,
        expectation: "200 and no redirect; the origin saw TLS from the gateway",
        logged_by: Who::Gateway,
    }
    .play(stage, |call| {
        let sni = call.seen.as_ref().and_then(|seen| seen.sni.as_deref());
        call.answer.status == 200 && from_gateway(call) && sni == Some(CNN.name)
    })?;

    stage
        .teller
        .step("4  The resources are deleted again; nothing is restarted");
    replace(
        stage,
        &[&["tls_from_the_gateway/gateway.yaml"][..], &rest].concat(),
        &[],
    )?;
    failed += Step {
        caller: Who::Sleep,
        call: &call,
        expectation: "301 to https from the origin, which saw the pod",
        logged_by: Who::Sleep,
    }
    .play(stage, |call| call.answer.status == 301 && from_pod(call))?;
    Ok(failed)
}

/// Puts the resources of both stories back, so that a world that stays up has calls that go through.
pub(crate) fn leave_something_to_play_with(stage: &Stage<'_>) -> anyhow::Result<()> {
    stage.teller.title("Both stories' resources are back");
    let (first, second) = (
        [
            "open_to_governed/service-entry.yaml",
            "open_to_governed/gateway.yaml",
            "open_to_governed/virtual-service.yaml",
        ],
        [
            "tls_from_the_gateway/service-entry.yaml",
            "tls_from_the_gateway/gateway.yaml",
        ],
    );
    let rest = [
        "tls_from_the_gateway/gateway-subset.yaml",
        "tls_from_the_gateway/virtual-service.yaml",
        "tls_from_the_gateway/originate-tls.yaml",
    ];
    replace(stage, &[], &[&first[..], &second, &rest].concat())
}

struct Step<'c> {
    caller: Who,
    call: &'c [&'c str],
    expectation: &'static str,
    logged_by: Who,
}

#[derive(Clone, Copy)]
enum Who {
    Sleep,
    Gateway,
}

impl Step<'_> {
    /// Plays one step; gives 1 when it was not as expected, else 0.
    fn play(&self, stage: &Stage<'_>, expected: impl Fn(&Call) -> bool) -> anyhow::Result<usize> {
        let pod = match self.caller {
            Who::Sleep => &stage.set.sleep,
            Who::Gateway => &stage.set.gateway,
        };
        let (call, as_expected) = stage.call(pod, self.call, expected)?;
        stage.teller.call(pod.name(), &call);
        let (name, proxy) = match self.logged_by {
            Who::Sleep => ("sidecar", &stage.sidecar),
            Who::Gateway => ("gateway", &stage.gateway),
        };
        let status = call.answer.status;
        let logged = latest(proxy, |line| is_about(line, status));
        match &logged {
            Ok(line) => stage.teller.access(name, line),
            Err(_) => stage
                .teller
                .line(&format!("  access log  {name}: no line about this call")),
        }
        let as_expected = as_expected && logged.is_ok();
        stage.teller.verdict(as_expected, self.expectation);
        Ok(usize::from(!as_expected))
    }
}

fn is_about(line: &Value, status: u16) -> bool {
    let authority = line["authority"].as_str().unwrap_or_default();
    let known = [ALIYUN.name, CNN.name]
        .iter()
        .any(|name| authority.starts_with(name));
    known && line["response_code"] == status
}

fn from_pod(call: &Call) -> bool {
    call.seen
        .as_ref()
        .is_some_and(|seen| seen.peer.ip() == SLEEP.v4())
}

fn from_gateway(call: &Call) -> bool {
    call.seen
        .as_ref()
        .is_some_and(|seen| seen.peer.ip() == EGRESS_GATEWAY.v4())
}

fn replace(stage: &Stage<'_>, old: &[&str], new: &[&str]) -> anyhow::Result<()> {
    stage.config.add(new)?;
    stage.config.remove(old)?;
    let list = |sign: &str, names: &[&str]| {
        names
            .iter()
            .map(|name| format!("{sign} {name}  "))
            .collect::<String>()
    };
    stage
        .teller
        .change(&format!("{}{}", list("+", new), list("-", old)));
    Ok(())
}
