//! `/listeners`: what is listened on, and what is done with what comes there, as `istioctl proxy-config listener` shows
//! it. A sidecar listens on two ports; the others in the table are those that callers dial.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use egret_config::snapshot::Snapshot;
use egret_config::view::{ChainView, ListenerView};
use http::StatusCode;
use serde_json::{Value, json};

use crate::admin::page::{Form, Page};
use crate::admin::state::Admin;
use crate::admin::table::Table;
use crate::listen::bind::Purpose;
use crate::listen::reconcile::Listener;

pub(super) fn page(admin: &Admin, form: Form) -> Page {
    let snapshot = admin.current.load();
    let listener_status = admin.listener_status.listeners();
    match form {
        Form::Text => {
            let mut page = String::new();
            for (name, address) in statuses(&snapshot, &listener_status) {
                page.push_str(&format!("{name}::{address}\n"));
            }
            page.push('\n');
            Page::text(StatusCode::OK, page + &text(&snapshot, &listener_status))
        }
        Form::Json => Page::json(&json!({
            "listener_statuses": statuses(&snapshot, &listener_status)
                .iter()
                .map(|(name, address)| status_value(name, *address))
                .collect::<Vec<_>>(),
            "sockets": sockets(&listener_status),
            "listeners": snapshot.listeners(),
        })),
    }
}

/// The listeners under the names that istiod gives them, with their addresses: those that are open, then those that
/// redirected calls are sorted into.
fn statuses(snapshot: &Snapshot, listener_status: &[Listener]) -> Vec<(String, SocketAddr)> {
    let named = |address: SocketAddr| format!("{}_{}", address.ip(), address.port());
    let open = listener_status.iter().filter_map(|socket| {
        let address = *socket.state.as_ref().ok()?;
        let name = match socket.purpose {
            Purpose::Outbound => "virtualOutbound".to_owned(),
            Purpose::Inbound => "virtualInbound".to_owned(),
            _ => named(envoys(address)),
        };
        Some((name, envoys(address)))
    });
    let mut statuses: Vec<(String, SocketAddr)> = open.collect();
    for view in snapshot.listeners().iter().filter(|view| view.port != 0) {
        let address = SocketAddr::new(view.address, view.port);
        let name = named(address);
        if !statuses.iter().any(|(known, _)| *known == name) {
            statuses.push((name, address));
        }
    }
    statuses
}

/// An address as Envoy has it: a socket of both families is one of IPv4.
fn envoys(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V6(ip) if ip.is_unspecified() => {
            SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port())
        }
        ip => SocketAddr::new(ip, address.port()),
    }
}

/// A listener in Envoy's shape (`envoy.admin.v3.Listeners`).
fn status_value(name: &str, address: SocketAddr) -> Value {
    json!({
        "name": name,
        "local_address": { "socket_address": {
            "address": address.ip(),
            "port_value": address.port(),
        } },
    })
}

pub(super) fn text(snapshot: &Snapshot, listener_status: &[Listener]) -> String {
    let views = snapshot.listeners();
    let mut table = Table::new(["ADDRESSES", "PORT", "MATCH", "DESTINATION", "FROM"]);
    let mut errors = String::new();
    // What no other listener takes is told at the port where all of it arrives.
    let (rest, dialled): (Vec<_>, Vec<_>) = views.iter().partition(|view| view.port == 0);
    for socket in listener_status {
        let address = match &socket.state {
            Ok(address) => address.ip().to_string(),
            Err(error) => {
                errors.push_str(&format!("NOT LISTENING: {error}\n"));
                "NOT LISTENING".to_owned()
            }
        };
        let view = match socket.purpose {
            Purpose::Outbound => rest.first().copied(),
            _ => dialled.iter().copied().find(|view| is_of(socket, view)),
        };
        let chains = view.map_or(&[][..], |view| &view.chains);
        for chain in chains {
            table.row(row(address.clone(), socket.port, chain));
        }
        if socket.purpose == Purpose::Inbound {
            let cells = [
                &*address,
                &socket.port.to_string(),
                "ALL",
                "the application",
                "",
            ];
            table.row(cells.map(str::to_owned));
        }
    }
    let open = |view: &ListenerView| listener_status.iter().any(|socket| is_of(socket, view));
    for view in dialled.into_iter().filter(|view| !open(view)) {
        for chain in &view.chains {
            table.row(row(view.address.to_string(), view.port, chain));
        }
    }
    table.text() + &errors
}

/// The sockets of the process, those that could not be had included.
pub(super) fn sockets(listener_status: &[Listener]) -> Vec<Value> {
    let value = |socket: &Listener| {
        json!({
            "purpose": socket.purpose.to_string(),
            "port": socket.port,
            "address": socket.state.as_ref().ok().map(|address| address.ip()),
            "error": socket.state.as_ref().err(),
        })
    };
    listener_status.iter().map(value).collect()
}

/// Whether a gateway's listener is what a socket is for.
fn is_of(socket: &Listener, view: &ListenerView) -> bool {
    let bound = !view.address.is_unspecified();
    socket.purpose == Purpose::Configured
        && socket.port == view.port
        && socket
            .state
            .as_ref()
            .map_or(true, |address| !bound || address.ip() == view.address)
}

fn row(address: String, port: u16, chain: &ChainView) -> [String; 5] {
    [
        address,
        port.to_string(),
        chain.matching.clone(),
        chain.destination.clone(),
        chain.origin.clone(),
    ]
}
