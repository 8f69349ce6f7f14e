use std::net::{Ipv4Addr, TcpListener, TcpStream};

use tokio::sync::mpsc;
use tokio::sync::mpsc::UnboundedReceiver;

use super::*;

/// Ports of a process whose workers accept nothing: their orders stay in the queues.
fn ports() -> (Ports, Vec<UnboundedReceiver<Order>>) {
    let (workers, queues) = (0..2).map(|_| mpsc::unbounded_channel()).unzip();
    (Ports::new(workers, Binder::default()), queues)
}

/// A port that nobody listened on a moment ago, with the socket that still has it.
fn taken() -> (BoundPort, TcpListener) {
    let socket = TcpListener::bind("127.0.0.1:0").expect("bind");
    (
        gateway(socket.local_addr().expect("address").port()),
        socket,
    )
}

fn gateway(port: u16) -> BoundPort {
    BoundPort {
        bind: Some(Ipv4Addr::LOCALHOST.into()),
        port,
    }
}

fn is_open(port: BoundPort) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port.port)).is_ok()
}

#[test]
fn ports_come_and_go_as_wanted() {
    let (mut ports, mut queues) = ports();
    let (one, two) = (taken().0, taken().0);
    assert!(ports.reconcile(&[one, two]).is_empty());
    assert!(is_open(one) && is_open(two));
    assert!(ports.reconcile(&[two]).is_empty());
    assert_eq!(ports.listener_status().listeners().len(), 1);
    for queue in &mut queues {
        let mut still_open = Vec::new();
        while let Ok(order) = queue.try_recv() {
            if order.open.has_changed().is_ok() {
                still_open.push(order.socket.local_addr().expect("address").port());
            }
        }
        assert_eq!(still_open, [two.port]);
    }
}

#[test]
fn one_port_that_cannot_be_had_stops_no_other_and_is_tried_again() {
    let (mut ports, _queues) = ports();
    let listener_status = ports.listener_status();
    let (busy, owner) = taken();
    let free = taken().0;
    assert_eq!(ports.reconcile(&[busy, free]).len(), 1);
    assert!(is_open(free));
    let states: Vec<_> = listener_status
        .listeners()
        .into_iter()
        .map(|one| (one.port, one.state.is_ok()))
        .collect();
    assert!(
        states.contains(&(busy.port, false)) && states.contains(&(free.port, true)),
        "{states:?}"
    );
    drop(owner);
    assert!(ports.reconcile(&[busy, free]).is_empty());
    assert!(is_open(busy));
    assert!(
        listener_status
            .listeners()
            .iter()
            .all(|one| one.state.is_ok())
    );
}
