use super::*;

const TWO: NonZeroUsize = NonZeroUsize::new(2).expect("not zero");

fn free_port() -> u16 {
    let socket = TcpListener::bind("[::]:0")
        .or_else(|_| TcpListener::bind("0.0.0.0:0"))
        .expect("bind");
    socket.local_addr().expect("address").port()
}

#[test]
fn workers_share_a_port_and_nobody_else_gets_it() {
    let port = free_port();
    let address = address(None, port);
    let sockets = shared(Purpose::Outbound, address, TWO).expect("bind");
    assert_eq!((address.port(), sockets.len()), (port, 2));
    let error = shared(Purpose::Outbound, address, TWO)
        .expect_err("taken")
        .to_string();
    for part in [&port.to_string(), "outbound", "in use", "--outbound-port"] {
        assert!(error.contains(part), "{error}");
    }
    assert!(!error.contains('\n'), "{error}");
    drop(sockets);
    shared(Purpose::Outbound, address, TWO).expect("free again");
}

#[test]
fn an_ipv4_caller_reaches_the_socket_on_all_addresses() {
    let port = free_port();
    let sockets =
        shared(Purpose::Configured, address(None, port), NonZeroUsize::MIN).expect("bind");
    let client = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("connect");
    sockets[0].set_nonblocking(false).expect("blocking");
    let (_, peer) = sockets[0].accept().expect("accept");
    assert_eq!(peer.port(), client.local_addr().expect("address").port());
}

#[test]
fn each_refusal_says_what_to_do() {
    let of = |purpose, errno: Errno| {
        let source = io::Error::from(errno);
        BindError {
            address: "[::]:80".parse().expect("address"),
            purpose,
            source,
        }
        .to_string()
    };
    for (purpose, errno, parts) in [
        (
            Purpose::Configured,
            Errno::EACCES,
            ["[::]:80", "NET_BIND_SERVICE", "ip_unprivileged_port_start"],
        ),
        (
            Purpose::Configured,
            Errno::EADDRINUSE,
            [
                "configured",
                "in use",
                "change the port of the Gateway or Sidecar",
            ],
        ),
        (
            Purpose::Admin,
            Errno::EADDRINUSE,
            ["admin", "another egret-proxy", "--admin"],
        ),
        (
            Purpose::Configured,
            Errno::EADDRNOTAVAIL,
            ["configured", "not one of", "machine"],
        ),
    ] {
        let words = of(purpose, errno);
        for part in parts {
            assert!(words.contains(part), "{words}");
        }
    }
}
