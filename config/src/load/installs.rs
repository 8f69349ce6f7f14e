//! Documents of istioctl and Helm, which may carry a MeshConfig. It is not read from them: what they set passes through
//! profiles, overlays and values first, and only the installation has the result.

use crate::load::format;
use crate::load::source::Source;
use crate::load::wire_document::WireDocuments;
use crate::problem::Severity;
use crate::wire::install::{Install, InstallSeed};

/// Reports how to get the mesh configuration of an IstioOperator, called `title`, or of Helm values, which have no name.
pub(super) fn report(source: &Source<'_>, title: &str, documents: &mut WireDocuments) {
    let mut install = Install::default();
    // What cannot be read carries nothing; a broken document was reported before.
    let _ = format::parse(source.format, source.chunk.text, InstallSeed(&mut install));
    let carrier = match title {
        "" => "Helm values",
        _ => "an IstioOperator",
    };
    let Some((path, mesh)) = install.mesh_config() else {
        let reason = format!("{carrier} without meshConfig, which egret does not read, ignored");
        return documents.report(source.problem(Severity::Warning, reason).of(title));
    };
    if mesh.is_registry_only() {
        documents.mesh_unread = Some(source.location.clone());
    }
    let message = (
        format!("the mesh configuration is not read from {carrier}"),
        format!(
            "write what stands below {path} into a file of its own and name it with --mesh-config, or give the ConfigMap \
             that Istio's installation made of it (kubectl get configmap istio -n istio-system -o yaml)"
        ),
    );
    documents.report(
        source
            .problem(Severity::Error, message)
            .of(title)
            .at(path, ""),
    );
}
