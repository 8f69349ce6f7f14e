//! Which Gateway a name in a VirtualService means.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::gateway::Gateway;
use crate::model::source::GatewayName;
use crate::name::ObjectName;

/// Gateways by name.
pub(super) struct Names<'o> {
    pub(super) by_name: HashMap<&'o ObjectName, &'o Arc<Gateway>>,
    pub(super) root: Arc<str>,
}

impl<'o> Names<'o> {
    /// The Gateway that a name in a VirtualService means: a bare name that its own namespace does not have falls back to
    /// the root namespace.
    pub(super) fn resolve(&self, name: &GatewayName) -> Option<&'o Arc<Gateway>> {
        let GatewayName::Gateway { name, bare } = name else {
            return None;
        };
        self.by_name.get(name).copied().or_else(|| {
            let root = ObjectName::new(self.root.clone(), name.name.clone());
            bare.then(|| self.by_name.get(&root).copied()).flatten()
        })
    }

    /// Whether a name in a VirtualService means a Gateway.
    pub(super) fn refers_to(&self, name: &GatewayName, gateway: &Gateway) -> bool {
        self.resolve(name)
            .is_some_and(|one| one.meta.name == gateway.meta.name)
    }
}
