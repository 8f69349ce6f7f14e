//! What istioctl and Helm read: documents that may carry a MeshConfig, which egret does not take from them.

use super::mesh_config::OutboundTrafficPolicy;
use super::object::read_object;
use super::reading::{AnyValue, Reading, ShapeError, Target};

object! {
    /// An IstioOperator, or the values of a Helm chart, as far as it contains the MeshConfig.
    pub struct Install {
        pub mesh_config: Option<CarriedMeshConfig>,
        pub spec: Option<InstallSpec>,
    }
}

object! {
    /// `spec` of an IstioOperator.
    pub struct InstallSpec {
        pub mesh_config: Option<CarriedMeshConfig>,
        pub values: Option<InstallValues>,
    }
}

object! {
    /// `spec.values` of an IstioOperator.
    pub struct InstallValues {
        pub mesh_config: Option<CarriedMeshConfig>,
    }
}

object! {
    /// The field of a carried MeshConfig that must not be lost without a warning.
    pub struct CarriedMeshConfig {
        pub outbound_traffic_policy: Option<OutboundTrafficPolicy>,
    }
}

impl Install {
    /// The carried MeshConfig, with its path.
    pub(crate) fn mesh_config(&self) -> Option<(&'static str, &CarriedMeshConfig)> {
        let spec = self.spec.as_ref();
        let values = spec.and_then(|spec| spec.values.as_ref());
        let spec = spec.and_then(|spec| spec.mesh_config.as_ref());
        let values = values.and_then(|values| values.mesh_config.as_ref());
        spec.map(|mesh| ("spec.meshConfig", mesh))
            .or_else(|| values.map(|mesh| ("spec.values.meshConfig", mesh)))
            .or_else(|| self.mesh_config.as_ref().map(|mesh| ("meshConfig", mesh)))
    }
}

/// Reads an [`Install`]; the document's other fields are skipped.
pub(crate) struct InstallSeed<'a>(pub(crate) &'a mut Install);

impl<'de> Target<'de> for InstallSeed<'_> {
    fn read(&mut self, from: &mut dyn AnyValue<'de>) -> Result<(), ShapeError> {
        *self.0 = read_object(from, &Reading::default())?;
        Ok(())
    }
}

impl CarriedMeshConfig {
    /// Whether it closes the mesh.
    pub(crate) fn is_registry_only(&self) -> bool {
        let policy = self.outbound_traffic_policy.as_ref();
        policy.is_some_and(|policy| policy.mode == "REGISTRY_ONLY")
    }
}
