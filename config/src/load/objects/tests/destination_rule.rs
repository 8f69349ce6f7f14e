//! Problems of DestinationRules, and the credentials they name.

use crate::load::load;
use crate::model::tls::ClientTlsMode;

use super::{check, good, object, texts};

#[test]
fn destination_rules_are_checked() {
    let table = [
        (
            "{host: a, trafficPolicy: {tls: {mode: SIMPLE, sni: a.b}}}",
            "",
        ),
        ("{}", "spec.host: a host name is required"),
        (
            "{host: a, trafficPolicy: {}}",
            "spec.trafficPolicy: an empty policy; leave it out or set something",
        ),
        (
            "{host: a, trafficPolicy: {portLevelSettings: [{port: {number: 80}}]}}",
            "spec.trafficPolicy.portLevelSettings[0]: an empty policy for a port; leave it out or set something",
        ),
        (
            "{host: a, trafficPolicy: {portLevelSettings: [{tls: {mode: DISABLE}}]}}",
            "spec.trafficPolicy.portLevelSettings[0].port: required",
        ),
        (
            "{host: a, subsets: [{name: v1}, {name: v1}, {}]}",
            "spec.subsets[1].name: \"v1\": another subset has this name\nspec.subsets[2].name: expected a name of letters, digits and dashes",
        ),
        (
            "{host: a, workloadSelector: {matchLabels: {a: b}}, exportTo: ['*']}",
            "spec.exportTo: \"*\": with a workloadSelector only `.`",
        ),
        (
            "{host: a, workloadSelector: {matchLabels: {a: b}}, exportTo: ['.']}",
            "",
        ),
        (
            "{host: a, trafficPolicy: {loadBalancer: {simple: FASTEST}}}",
            "spec.trafficPolicy.loadBalancer.simple: \"FASTEST\": expected one of LEAST_REQUEST, ROUND_ROBIN, RANDOM, PASSTHROUGH",
        ),
        (
            "{host: a, trafficPolicy: {loadBalancer: {consistentHash: {useSourceIp: true, httpHeaderName: x}}}}",
            "spec.trafficPolicy.loadBalancer.consistentHash: exactly one of httpHeaderName, httpCookie, useSourceIp, httpQueryParameterName",
        ),
        (
            "{host: a, trafficPolicy: {connectionPool: {}}}",
            "spec.trafficPolicy.connectionPool: one of tcp and http is required",
        ),
        (
            "{host: a, trafficPolicy: {connectionPool: {tcp: {maxConnections: -1, connectTimeout: 0s}}}}",
            "spec.trafficPolicy.connectionPool.tcp.maxConnections: \"-1\": must not be negative\nspec.trafficPolicy.connectionPool.tcp.connectTimeout: \"0s\": expected a duration of at least 1ms",
        ),
        (
            "{host: a, trafficPolicy: {outlierDetection: {maxEjectionPercent: 200, interval: x}}}",
            "spec.trafficPolicy.outlierDetection.maxEjectionPercent: \"200\": expected a percentage from 0 to 100\nspec.trafficPolicy.outlierDetection.interval: \"x\": expected a duration such as `1.5s` or `1h30m`",
        ),
        (
            "{host: a, trafficPolicy: {tls: {mode: MUTUAL}}}",
            "spec.trafficPolicy.tls.clientCertificate: required in mode MUTUAL\nspec.trafficPolicy.tls.privateKey: required in mode MUTUAL",
        ),
        (
            "{host: a, trafficPolicy: {tls: {mode: ISTIO_MUTUAL, caCertificates: /x}}}",
            "spec.trafficPolicy.tls.caCertificates: \"/x\": has no effect: ISTIO_MUTUAL uses the mesh's own certificates",
        ),
        (
            "{host: a, trafficPolicy: {tls: {mode: SIMPLE, insecureSkipVerify: true, caCertificates: /x}}}",
            "spec.trafficPolicy.tls.caCertificates: \"/x\": contradicts insecureSkipVerify",
        ),
        (
            "{host: a, trafficPolicy: {tls: {mode: SIMPLE, credentialName: c}}}",
            "spec.trafficPolicy.tls.credentialName: \"c\": no Secret called \"c\" was loaded; calls are refused until it is there",
        ),
        (
            "{host: a, trafficPolicy: {tunnel: {targetHost: b.c, targetPort: 443}, retryBudget: {percent: 20}}}",
            "",
        ),
        (
            "{host: a, trafficPolicy: {tunnel: {}, proxyProtocol: {version: V3}}}",
            "spec.trafficPolicy.proxyProtocol: only one of tunnel and proxyProtocol
            spec.trafficPolicy.tunnel.targetHost: a host name is required
            spec.trafficPolicy.tunnel.targetPort: \"0\": expected a port from 1 to 65535
            spec.trafficPolicy.proxyProtocol.version: \"V3\": expected one of V1, V2",
        ),
    ];
    check("DestinationRule", &table);
}

#[test]
fn a_credential_is_taken_from_its_secret() {
    let rule = object(
        "DestinationRule",
        "{host: a.b, trafficPolicy: {tls: {mode: MUTUAL, credentialName: c}}}",
    );
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: c, namespace: istio-system}\ndata: {tls.crt: Y2VydA==, tls.key: a2V5, ca.crt: Y2E=}\n";
    let objects = good(&format!("{rule}{secret}"));
    let policy = objects.destination_rules[0]
        .policy
        .as_ref()
        .expect("written");
    let Some(Some(tls)) = &policy.all.tls else {
        panic!("TLS, not {:?}", policy.all.tls);
    };
    assert!(matches!(tls.mode, ClientTlsMode::Mutual(_)));
    let (objects, problems) = load(&texts(&rule), None);
    let policy = objects.destination_rules[0]
        .policy
        .as_ref()
        .expect("written");
    assert!(
        matches!(&policy.all.tls, Some(Some(tls)) if matches!(tls.mode, ClientTlsMode::Unusable(_)))
    );
    assert_eq!(problems.len(), 1);
}
