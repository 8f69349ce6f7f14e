//! Problems of Sidecars, and their content.

use crate::load::load;
use crate::model::outbound_policy::OutboundPolicy;
use crate::model::sidecar::ImportFrom;
use crate::problem::Problem;

use super::{check, good, object, texts};

#[test]
fn sidecars_are_checked() {
    let table = [
        (
            "{egress: [{hosts: ['./*', 'istio-system/*', '~x/a.b']}]}",
            "",
        ),
        (
            "{}",
            "spec: an empty Sidecar; set egress, ingress or outboundTrafficPolicy",
        ),
        (
            "{workloadSelector: {labels: {a: b}}}",
            "spec: an empty Sidecar; set egress, ingress or outboundTrafficPolicy",
        ),
        (
            "{egress: [{}]}",
            "spec.egress[0].hosts: at least one is required",
        ),
        (
            "{egress: [{hosts: [a.b, 'x y/*']}]}",
            "spec.egress[0].hosts[0]: \"a.b\": expected `namespace/host`, for example `*/*`, `./*` or `istio-system/*.example.com`\nspec.egress[0].hosts[1]: \"x y/*\": not a valid name of a namespace before the `/`",
        ),
        (
            "{egress: [{hosts: ['*/*']}, {port: {number: 80, protocol: HTTP, name: a}, hosts: ['*/*']}]}",
            "spec.egress[0].port: only the last egress listener may be without a port",
        ),
        (
            "{egress: [{port: {number: 80, protocol: HTTP}, hosts: ['*/*']}, {port: {number: 80, protocol: HTTP}, hosts: ['*/*']}]}",
            "spec.egress[1].port.number: \"80\": another egress listener has this port",
        ),
        (
            "{outboundTrafficPolicy: {egressProxy: {host: a.b, port: {number: 1}}}}",
            "spec.outboundTrafficPolicy.egressProxy: needs mode ALLOW_ANY",
        ),
        (
            "{outboundTrafficPolicy: {mode: ALLOW_ANY, egressProxy: {host: '*.b'}}}",
            "spec.outboundTrafficPolicy.egressProxy.host: \"*.b\": not a host name: expected labels of letters, digits and dashes, joined by dots\nspec.outboundTrafficPolicy.egressProxy.port.number: \"0\": expected a port from 1 to 65535",
        ),
        (
            "{outboundTrafficPolicy: {mode: ALLOW_ANY}, ingress: [{port: {number: 1}}]}",
            "",
        ),
    ];
    check("Sidecar", &table);
    let objects = good(&object(
        "Sidecar",
        "{outboundTrafficPolicy: {}, egress: [{hosts: ['~/*']}]}",
    ));
    let sidecar = &objects.sidecars[0];
    assert_eq!(sidecar.outbound_policy, Some(OutboundPolicy::RegistryOnly));
    assert_eq!(sidecar.egress[0].hosts[0].namespace, ImportFrom::Nothing);
}

#[test]
fn unsupported_fields_are_reported() {
    let content = object(
        "Sidecar",
        "{outboundTrafficPolicy: {mode: ALLOW_ANY}, ingress: [{port: {number: 1}}]}",
    );
    let (objects, problems) = load(&texts(&content), None);
    assert_eq!(objects.sidecars.len(), 1);
    assert_eq!(
        problems.iter().map(Problem::to_string).collect::<Vec<_>>(),
        [
            "f:1: Sidecar n/a: spec.ingress: not supported yet, ignored: calls that arrive are not proxied; leave it out"
        ]
    );
}
