//! The ports of metrics and of Istio's agent.

use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::spawn_local;

use super::*;
use crate::admin::application::ApplicationMetrics;

async fn get(address: SocketAddr, path: &str) -> String {
    asked(address, "GET", path).await
}

async fn asked(address: SocketAddr, method: &str, path: &str) -> String {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: 10.0.0.1\r\nconnection: close\r\naccept: wanted/kind\r\n\r\n"
    );
    said(&mut connected(address).await, &request).await
}

fn status(answer: &str) -> &str {
    answer.get(9..12).unwrap_or_default()
}

/// An application whose metrics are these, of this type; it asserts what it is asked.
async fn application(kind: &'static str, metrics: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let port = listener.local_addr().expect("address").port();
    spawn_local(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut head = [0; 1024];
            let read = client.read(&mut head).await.expect("read");
            let head = String::from_utf8_lossy(&head[..read]).into_owned();
            assert!(head.starts_with("GET /metrics?a=b HTTP/1.1\r\n"), "{head}");
            assert!(head.contains("accept: wanted/kind\r\n"), "{head}");
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{metrics}",
                metrics.len()
            );
            client.write_all(answer.as_bytes()).await.expect("write");
        }
    });
    port
}

fn place(port: u16) -> ApplicationMetrics {
    ApplicationMetrics::new(port, "/metrics?a=b".parse().expect("path"))
}

#[tokio::test]
async fn the_metrics_port_has_one_page() {
    let folder = tempfile::tempdir().expect("folder");
    let admin = admin(folder.path());
    served_as(Pages::Stats, &admin, 4, async |address| {
        let page = get(address, "/stats/prometheus").await;
        assert_eq!(status(&page), "200");
        let kind = "content-type: text/plain; version=0.0.4; charset=utf-8\r\n";
        assert!(page.contains(kind), "{page}");
        assert!(page.contains("# TYPE egret_build_info gauge\n"), "{page}");
        for path in ["/", "/metrics", "/stats", "/config_dump", "/healthz/ready"] {
            assert_eq!(status(&get(address, path).await), "404", "{path}");
        }
        let post = asked(address, "POST", "/stats/prometheus").await;
        assert_eq!(status(&post), "405");
    })
    .await;
}

#[tokio::test]
async fn the_agents_port_has_readiness_and_takes_orders_of_the_pod() {
    let folder = tempfile::tempdir().expect("folder");
    let (commands, mut received) = mpsc::unbounded_channel();
    let admin = Admin {
        commands,
        ..admin(folder.path())
    };
    served_as(Pages::Agent, &admin, 4, async |address| {
        let ready = get(address, "/healthz/ready").await;
        assert!(
            status(&ready) == "200" && ready.ends_with("\r\n\r\n"),
            "{ready}"
        );
        for path in ["/", "/stats", "/config_dump", "/ready"] {
            assert_eq!(status(&get(address, path).await), "404", "{path}");
        }
        for path in ["/quitquitquit", "/drain"] {
            assert_eq!(status(&get(address, path).await), "405", "{path}");
            let answer = asked(address, "POST", path).await;
            assert!(answer.ends_with("\r\n\r\nOK\n"), "{answer}");
        }
    })
    .await;
    assert_eq!(received.try_recv(), Ok(Command::Quit));
    assert_eq!(received.try_recv(), Ok(Command::Drain));
    // Who is not the pod itself is told so, whatever the method.
    for method in [Method::GET, Method::POST] {
        let page = agent::page(&admin, &method, "/drain", false);
        assert_eq!(page.status, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn the_agents_port_shows_the_applications_metrics_besides() {
    let folder = tempfile::tempdir().expect("folder");
    LocalSet::new()
        .run_until(async {
            let text = "# TYPE process_open_fds gauge\nprocess_open_fds 7\nmine_total 1";
            let port = application("text/plain", text).await;
            let unheard = TcpListener::bind("127.0.0.1:0").await.expect("bind");
            let gone = unheard.local_addr().expect("address").port();
            drop(unheard);
            let admin = Admin {
                application: Arc::new([place(gone), place(port)]),
                ..admin(folder.path())
            };
            served_as(Pages::Agent, &admin, 4, async |address| {
                for path in ["/metrics", "/stats/prometheus"] {
                    let page = get(address, path).await;
                    assert_eq!(status(&page), "200", "{page}");
                    assert!(page.contains("# TYPE egret_build_info gauge\n"), "{page}");
                    assert!(
                        page.ends_with("process_open_fds 7\nmine_total 1\n"),
                        "{page}"
                    );
                    let types = page.matches("# TYPE process_open_fds ").count();
                    assert_eq!(types, 1, "{page}");
                }
                assert_eq!(status(&asked(address, "POST", "/metrics").await), "405");
            })
            .await;
        })
        .await;
}

#[tokio::test]
async fn open_metrics_of_an_application_stay_what_they_are() {
    let folder = tempfile::tempdir().expect("folder");
    LocalSet::new()
        .run_until(async {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            let port = application(kind, "mine_total 1\n# EOF\n").await;
            let admin = Admin {
                application: Arc::new([place(port)]),
                ..admin(folder.path())
            };
            served_as(Pages::Agent, &admin, 4, async |address| {
                let page = get(address, "/metrics").await;
                assert!(
                    page.contains(&format!("content-type: {kind}\r\n")),
                    "{page}"
                );
                assert!(page.ends_with("mine_total 1\n# EOF\n"), "{page}");
            })
            .await;
        })
        .await;
}
