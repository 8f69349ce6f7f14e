//! The pages over sockets: orders, hosts, and clients that are idle or slow.

use super::*;

#[tokio::test]
async fn orders_reach_the_process_once_they_are_answered() {
    let folder = tempfile::tempdir().expect("folder");
    for (target, order) in [
        ("/quitquitquit", Command::Quit),
        ("/reopen_logs", Command::ReopenLogs),
        (
            "/drain_listeners",
            Command::DrainListeners {
                graceful: false,
                inbound_only: false,
            },
        ),
        (
            "/drain_listeners?graceful&inboundonly=",
            Command::DrainListeners {
                graceful: true,
                inbound_only: true,
            },
        ),
    ] {
        let (commands, mut received) = mpsc::unbounded_channel();
        let admin = Admin {
            commands,
            ..admin(folder.path())
        };
        served(&admin, 4, async |address| {
            let mut client = connected(address).await;
            let request = format!("POST {target} HTTP/1.1\r\nhost: localhost\r\n\r\n");
            let answer = said(&mut client, &request).await;
            assert!(
                answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("OK\n"),
                "{answer}"
            );
            assert_eq!(received.recv().await, Some(order));
        })
        .await;
        assert_eq!(ask(&admin, "GET", target).0, 405);
    }
}

#[tokio::test]
async fn another_host_is_forbidden() {
    let folder = tempfile::tempdir().expect("folder");
    let admin = admin(folder.path());
    served(&admin, 4, async |address| {
        for (host, expected) in [("[::1]:15000", "200"), ("attacker.example", "403")] {
            for page in ["GET /ready", "GET /config_dump", "POST /quitquitquit"] {
                let mut client = connected(address).await;
                let request =
                    format!("{page} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
                let answer = said(&mut client, &request).await;
                let status = answer.split(' ').nth(1);
                assert_eq!(status, Some(expected), "{page} {host}: {answer}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn clients_without_a_request_make_room_for_others() {
    let folder = tempfile::tempdir().expect("folder");
    let admin = admin(folder.path());
    served(&admin, 2, async |address| {
        let mut idle = connected(address).await;
        let _others = [connected(address).await, connected(address).await];
        let mut client = connected(address).await;
        let request = "GET /ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        let answer = said(&mut client, request).await;
        assert!(answer.ends_with("LIVE\n"), "{answer}");
        assert_eq!(idle.read(&mut [0]).await.expect("end"), 0);
    })
    .await;
}

#[tokio::test]
async fn readers_of_large_pages_do_not_hold_up_small_ones() {
    let folder = tempfile::tempdir().expect("folder");
    let reasons = vec!["x".repeat(16 << 20)];
    let admin = admin(folder.path());
    admin.status.reject(Timestamp::UNIX_EPOCH, reasons);
    served(&admin, 64, async |address| {
        let mut readers = Vec::new();
        for _ in 0..LARGE_MAX + 1 {
            let mut reader = connected(address).await;
            let request = "GET /config_dump HTTP/1.1\r\nhost: localhost\r\n\r\n";
            reader.write_all(request.as_bytes()).await.expect("write");
            readers.push(reader);
        }
        for reader in &readers[..LARGE_MAX] {
            reader.readable().await.expect("a page begins");
        }
        let mut client = connected(address).await;
        let request = "GET /ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        assert!(said(&mut client, request).await.ends_with("LIVE\n"));
        let waits = readers.last().map(|last| last.readable().now_or_never());
        assert!(matches!(waits, Some(None)), "no place for it");
        drop(readers.remove(0));
        let last = readers.last().expect("a reader");
        last.readable().await.expect("a place is free");
    })
    .await;
}
