//! The input of the rules.

use std::collections::HashMap;

use crate::host::HostPattern;
use crate::model::objects::Objects;
use crate::model::service::Service;

/// The objects, and what several rules look up in them.
pub(super) struct View<'o> {
    pub(super) objects: &'o Objects,
    pub(super) services: HashMap<&'o HostPattern, Vec<&'o Service>>,
}

impl<'o> View<'o> {
    pub(super) fn new(objects: &'o Objects) -> Self {
        let mut services: HashMap<_, Vec<&Service>> = HashMap::new();
        for service in &objects.services {
            services.entry(&service.host).or_default().push(service);
        }
        Self { objects, services }
    }
}
