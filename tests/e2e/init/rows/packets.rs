//! What single connections do not show: packets of no connection, and connections from addresses that others have.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::thread;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrStorage, bind, connect,
    recv, sendto, setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};

use crate::helpers::init_world::{InitWorld, Owner, POD, POD_AT_ETH1, act_as, at};

const APP: Owner = (1000, 1000);

/// Addresses of the world outside next to [`POD`] and [`POD_AT_ETH1`].
const AT_ETH0: [&str; 2] = ["10.1.0.1", "fd00:1::1"];
const AT_ETH1: [&str; 2] = ["10.2.0.1", "fd00:2::1"];

/// Nobody listens there, so the kernel answers whatever gets there with a reset.
const CLOSED: u16 = 81;

/// The end of a connection that never began is dropped on request. In TPROXY mode excluded interfaces are spared, as
/// istio-iptables spares them there alone.
#[test]
fn packets_of_no_connection() -> anyhow::Result<()> {
    let reset = |world: &InitWorld, from: [&'static str; 2], to: [&'static str; 2]| {
        world.outside(move || {
            let tried = [0, 1].map(|family| is_reset(from[family], at(to[family], CLOSED)));
            let [ipv4, ipv6] = tried;
            anyhow::Ok([ipv4?, ipv6?])
        })
    };
    for (line, at_eth0, at_eth1) in [
        ("--dual-stack", [true, true], [true, true]),
        (
            "--dual-stack --drop-invalid",
            [false, false],
            [false, false],
        ),
        ("--drop-invalid", [false, true], [false, true]),
        (
            "--dual-stack --drop-invalid -c eth1",
            [false, false],
            [false, false],
        ),
        (
            "--dual-stack --drop-invalid -c eth1 -m TPROXY",
            [false, false],
            [true, true],
        ),
    ] {
        let world = InitWorld::new()?;
        let flags: Vec<&str> = line.split(' ').collect();
        world.done(&flags)?;
        assert_eq!(reset(&world, AT_ETH0, POD)?, at_eth0, "{line}: eth0");
        assert_eq!(
            reset(&world, AT_ETH1, POD_AT_ETH1)?,
            at_eth1,
            "{line}: eth1"
        );
    }
    Ok(())
}

/// In TPROXY mode the proxy is root with the group of its own, calls the application from the client's address, and
/// the application's answers find back to it.
#[test]
fn the_proxy_borrows_a_clients_address() -> anyhow::Result<()> {
    const PORT: u16 = 8080;
    let world = InitWorld::new()?;
    world.done(&[
        "-m",
        "TPROXY",
        "-b",
        "*",
        "-u",
        "1337",
        "-g",
        "1337",
        "--dual-stack",
    ])?;
    world.serve_proxy((0, 1337))?;
    world.pod.run(|| act_as(APP, || tell_peers(PORT)))?;
    for (client, application) in [("203.0.113.9", POD[0]), ("2001:db8::9", POD[1])] {
        for mark in [1337, 0] {
            let answer = world.pod.run(move || {
                act_as((0, 1337), || {
                    borrow(client.parse()?, mark, at(application, PORT))
                })
            });
            if mark == 1337 {
                assert_eq!(answer?, client, "seen by the application");
            } else {
                let error =
                    answer.expect_err("answers leave the pod, for the client has that address");
                let errno = error.downcast_ref::<Errno>();
                assert_eq!(errno, Some(&Errno::EINPROGRESS), "{error:?}");
            }
        }
    }
    Ok(())
}

/// Sends the last segment of no connection, and says whether a reset comes back.
fn is_reset(from: &str, to: SocketAddr) -> anyhow::Result<bool> {
    let from: IpAddr = from.parse()?;
    let family = AddressFamily::from_i32(if to.is_ipv4() { 2 } else { 10 })
        .expect("these are the families of the addresses");
    let raw = socket(
        family,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::Tcp,
    )?;
    setsockopt(&raw, sockopt::ReceiveTimeout, &TimeVal::milliseconds(300))?;
    bind(
        raw.as_raw_fd(),
        &SockaddrStorage::from(SocketAddr::new(from, 0)),
    )?;
    connect(
        raw.as_raw_fd(),
        &SockaddrStorage::from(SocketAddr::new(to.ip(), 0)),
    )?;
    let segment = last_segment(from, to);
    sendto(
        raw.as_raw_fd(),
        &segment,
        &SockaddrStorage::from(SocketAddr::new(to.ip(), 0)),
        MsgFlags::empty(),
    )?;
    let mut packet = [0; 128];
    loop {
        let length = match recv(raw.as_raw_fd(), &mut packet, MsgFlags::empty()) {
            Ok(length) => length,
            Err(Errno::EAGAIN) => return Ok(false),
            Err(errno) => return Err(errno.into()),
        };
        // Only IPv4 sockets of this kind see the header below TCP's.
        let segment = &packet[..length][if to.is_ipv4() { 20 } else { 0 }..];
        if segment[..2] == to.port().to_be_bytes() && segment[13] & 4 != 0 {
            return Ok(true);
        }
    }
}

/// A TCP header with FIN and nothing else.
fn last_segment(from: IpAddr, to: SocketAddr) -> [u8; 20] {
    let mut segment = [0; 20];
    segment[..2].copy_from_slice(&40_000_u16.to_be_bytes());
    segment[2..4].copy_from_slice(&to.port().to_be_bytes());
    segment[12] = 5 << 4;
    segment[13] = 1;
    let octets = |address: IpAddr| match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let pseudo = [octets(from), octets(to.ip()), vec![0, 6, 0, 20]].concat();
    let words = pseudo.chunks(2).chain(segment.chunks(2));
    let mut sum: u32 = words
        .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let checksum = !u16::try_from(sum).expect("folded");
    segment[16..18].copy_from_slice(&checksum.to_be_bytes());
    segment
}

/// Answers every connection with the address of its other end. The thread ends with the test's process.
fn tell_peers(port: u16) -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))?;
    thread::spawn(move || {
        while let Ok((mut stream, peer)) = listener.accept() {
            // A client that went away learns nothing.
            let _ = write!(stream, "{}", peer.ip().to_canonical());
        }
    });
    Ok(())
}

/// Connects from an address that is not this host's, and reads all of the answer.
fn borrow(from: IpAddr, mark: u32, to: SocketAddr) -> anyhow::Result<String> {
    let family = AddressFamily::from_i32(if to.is_ipv4() { 2 } else { 10 })
        .expect("these are the families of the addresses");
    let socket = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&socket, sockopt::IpTransparent, &true)?;
    setsockopt(&socket, sockopt::Mark, &mark)?;
    // It holds for the handshake as well.
    setsockopt(&socket, sockopt::SendTimeout, &TimeVal::milliseconds(500))?;
    bind(
        socket.as_raw_fd(),
        &SockaddrStorage::from(SocketAddr::new(from, 0)),
    )?;
    connect(socket.as_raw_fd(), &SockaddrStorage::from(to))?;
    let mut answer = String::new();
    TcpStream::from(socket).read_to_string(&mut answer)?;
    Ok(answer)
}
