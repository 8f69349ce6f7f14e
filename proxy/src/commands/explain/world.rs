//! The configuration that applies to the workload, with and without captured DNS.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use egret_config::host::HostPattern;
use egret_config::load;
use egret_config::model::endpoint::{Address, Endpoint};
use egret_config::model::objects::Objects;
use egret_config::model::service::Service;
use egret_config::name::Kind;
use egret_config::problem::Problem;
use egret_config::snapshot::workload::{Mode, Workload};
use egret_config::snapshot::{Snapshot, addresses};

use crate::commands::explain::call::To;
use crate::source::files::read::Texts;
use crate::source::registered::Registered;

/// A documentation address (RFC 5737), which stands for names without an address here.
const UNKNOWN_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// The configuration.
#[derive(Debug)]
pub struct World {
    /// Its problems.
    pub problems: Vec<Problem>,
    /// Its registered services.
    pub registered: Arc<[Registered]>,
    objects: Objects,
    workload: Workload,
    /// By whether DNS is captured, and by the pod's address where a call has it.
    views: HashMap<(bool, Option<IpAddr>), View>,
}

/// The configuration that applies to the workload.
#[derive(Debug)]
pub struct View {
    /// Everything that was loaded.
    pub objects: Objects,
    /// The snapshot for the workload.
    pub snapshot: Snapshot,
    /// Whether its DNS queries are captured.
    pub dns_capture: bool,
}

impl World {
    /// Loads a configuration for a workload.
    pub fn load(texts: &Texts, workload: &Workload) -> Self {
        let (objects, problems) = load::load(&texts.objects, texts.mesh_config.as_ref());
        Self {
            problems,
            registered: Registered::all(&objects.services).into(),
            objects,
            workload: workload.clone(),
            views: HashMap::new(),
        }
    }

    /// The view with or without captured DNS, for a call to `to`.
    pub fn view(&mut self, dns_capture: bool, to: &To) -> &View {
        let own = self.own_address(to);
        let (objects, workload) = (&self.objects, &self.workload);
        self.views.entry((dns_capture, own)).or_insert_with(|| {
            let mut objects = objects.clone();
            if dns_capture {
                addresses::allocate(&mut objects);
            }
            let mut workload = workload.clone();
            workload.addresses.extend(own);
            let (snapshot, _) = Snapshot::build(&objects, workload);
            View {
                objects,
                snapshot,
                dns_capture,
            }
        })
    }

    /// The pod's address as a call to a gateway shows it, when it was not given: it counts if a service has this member.
    fn own_address(&self, to: &To) -> Option<IpAddr> {
        let To::Address(to) = to else {
            return None;
        };
        let is_it =
            |endpoint: &Endpoint| matches!(endpoint.address, Address::Ip(ip) if ip == to.ip());
        let known = || {
            let services = self.objects.services.iter();
            let slices = self.objects.endpoints.iter();
            let mut endpoints = services
                .flat_map(|service| &service.endpoints)
                .chain(slices.flat_map(|slice| &slice.endpoints));
            endpoints.any(is_it)
        };
        let lacks_address =
            self.workload.mode == Mode::Gateway && self.workload.addresses.is_empty();
        (lacks_address && known()).then(|| to.ip())
    }
}

impl View {
    /// Whether the members of a host are in what was loaded: those of a Kubernetes Service are in EndpointSlices, which a
    /// folder of written configuration seldom has.
    pub fn lists_members(&self, host: &HostPattern) -> bool {
        let mut services = self.objects.services.iter();
        let service =
            services.find(|service| service.host == *host && service.meta.kind == Kind::Service);
        service.is_none_or(|service| {
            let name = &service.meta.name;
            self.objects.endpoints.iter().any(|slice| {
                slice.meta.name.namespace == name.namespace && slice.service == name.name
            })
        })
    }

    /// The address that a call dials, and a note when a name had to be resolved.
    pub fn address(&self, to: &To) -> (SocketAddr, Option<String>) {
        let (name, port) = match to {
            To::Address(address) => return (*address, None),
            To::Name(name, port) => (name, *port),
        };
        let own =
            |service: &&Arc<Service>| service.host.exact().is_some_and(|host| **host == **name);
        let services = || self.objects.services.iter().filter(own);
        let of_service = services()
            .flat_map(|service| &service.addresses)
            .find(|net| net.prefix_len() == net.max_prefix_len())
            .map(|net| net.addr());
        let of_endpoint = services()
            .flat_map(|service| &service.endpoints)
            .find_map(|endpoint| match endpoint.address {
                Address::Ip(ip) => Some(ip),
                Address::Name(_) | Address::Unix(_) => None,
            });
        let (ip, note) = match of_service.or(of_endpoint) {
            Some(ip) => (ip, format!("{name} has address {ip}")),
            None => (
                UNKNOWN_ADDRESS,
                format!("{name} stands for an address that no service has, here {UNKNOWN_ADDRESS}"),
            ),
        };
        (SocketAddr::new(ip, port), Some(note))
    }
}
