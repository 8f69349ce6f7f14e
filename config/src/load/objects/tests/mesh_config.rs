//! The mesh configuration over its defaults.

use crate::load::{Text, load};
use crate::model::mesh::AccessLogEncoding;
use crate::model::outbound_policy::OutboundPolicy;
use crate::problem::Problem;

use super::texts;

#[test]
fn mesh_configurations_are_read_over_the_defaults() {
    let mesh = |content: &str| {
        let (objects, problems) = load(&texts(content), None);
        (
            objects.mesh,
            problems.iter().map(Problem::to_string).collect::<Vec<_>>(),
        )
    };
    let (unset, problems) = mesh("rootNamespace: x\n");
    assert_eq!(
        (unset.outbound_policy, &*unset.root_namespace),
        (OutboundPolicy::AllowAny, "x")
    );
    assert_eq!(problems, [""; 0]);
    let (set, problems) = mesh(
        "outboundTrafficPolicy: {mode: REGISTRY_ONLY}\naccessLogFile: /dev/stdout\naccessLogEncoding: JSON\nprotocolDetectionTimeout: 100ms\ndefaultServiceExportTo: ['.']\n",
    );
    assert_eq!(problems, [""; 0]);
    assert_eq!(
        (set.outbound_policy, set.access_log_encoding),
        (OutboundPolicy::RegistryOnly, AccessLogEncoding::Json)
    );
    let (wrong, problems) =
        mesh("outboundTrafficPolicy: {mode: REGISTRYONLY}\nconnectTimeout: soon\n");
    assert_eq!(wrong.outbound_policy, OutboundPolicy::RegistryOnly);
    assert_eq!(
        problems,
        [
            "f:1: MeshConfig: outboundTrafficPolicy.mode: \"REGISTRYONLY\": expected one of REGISTRY_ONLY, ALLOW_ANY, ALLOW_ANY_DYNAMIC_DNS",
            "f:1: MeshConfig: connectTimeout: \"soon\": expected a duration such as `1.5s` or `1h30m`",
        ]
    );
    let own = Text {
        file: "--mesh-config".into(),
        bytes: b"outboundTrafficPolicy: {mode: ALLOW_ANY}".to_vec(),
    };
    let (objects, problems) = load(
        &texts("outboundTrafficPolicy: {mode: REGISTRY_ONLY}\n"),
        Some(&own),
    );
    assert_eq!(objects.mesh.outbound_policy, OutboundPolicy::AllowAny);
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        problems.len(),
        1,
        "the other one is a warning: {problems:?}"
    );
    assert!(
        problems[0].starts_with("f:1: MeshConfig: ignored: "),
        "{problems:?}"
    );
}
