//! The rules that all pages of the admin address have in common, over sockets.

use super::*;

/// The answer to a request with these headers, on a connection of its own.
async fn answer(address: SocketAddr, request_line: &str, headers: &[(&str, &str)]) -> String {
    let mut request = format!("{request_line} HTTP/1.1\r\nconnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    said(&mut connected(address).await, &request).await
}

fn status(answer: &str) -> &str {
    answer.get(9..12).unwrap_or_default()
}

fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let (head, _) = answer.split_once("\r\n\r\n").expect("a head");
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value)
}

const LOCAL: (&str, &str) = ("host", "localhost:15000");

#[tokio::test]
async fn pages_are_for_loopback_alone_to_read_and_to_change() {
    let folder = tempfile::tempdir().expect("folder");
    let admin = admin(folder.path());
    let own = [
        ("host", "127.0.0.1"),
        ("host", "localhost:8080"),
        ("host", "[::1]:15000"),
    ];
    let foreign = [
        &[("host", "attacker.example")][..],
        &[("host", "127.0.0.1.attacker.example:15000")],
        &[("host", "10.0.0.1:15000")],
        &[],
        &[LOCAL, ("origin", "http://attacker.example")],
        &[LOCAL, ("origin", "null")],
    ];
    served(&admin, 64, async |address| {
        for line in [
            "GET /",
            "HEAD /help",
            "GET /server_info",
            "GET /config_dump",
            "POST /logging",
            "GET /stats/prometheus",
        ] {
            for host in own {
                let same = answer(address, line, &[host, ("origin", "http://localhost:1")]).await;
                assert_eq!(status(&same), "200", "{line} {host:?}");
                assert_eq!(status(&answer(address, line, &[host]).await), "200");
            }
            for headers in foreign {
                let refused = answer(address, line, headers).await;
                assert_eq!(status(&refused), "403", "{line} {headers:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn every_page_names_its_method() {
    let folder = tempfile::tempdir().expect("folder");
    let admin = admin(folder.path());
    served(&admin, 64, async |address| {
        for page in pages::PAGES {
            let (allow, wrong) = match page.verb {
                Verb::Get => ("GET, HEAD", &["POST", "PUT", "DELETE", "OPTIONS"][..]),
                Verb::Post => ("POST", &["GET", "HEAD", "PUT"][..]),
            };
            for method in wrong {
                let line = format!("{method} {}", page.path);
                let refused = answer(address, &line, &[LOCAL]).await;
                assert_eq!(status(&refused), "405", "{line}");
                assert_eq!(header(&refused, "allow"), Some(allow), "{line}");
                let named = refused.ends_with(&format!("use {}\n", page.verb.name()));
                assert!(named || *method == "HEAD", "{refused}");
            }
        }
        for line in ["GET /nothing", "POST /nothing", "GET /READY", "GET /ready/"] {
            assert_eq!(
                status(&answer(address, line, &[LOCAL]).await),
                "404",
                "{line}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn head_is_get_without_a_body_and_no_answer_is_kept_or_guessed() {
    let folder = tempfile::tempdir().expect("folder");
    let admin = admin(folder.path());
    served(&admin, 64, async |address| {
        let readable = pages::PAGES.iter().filter(|page| page.verb == Verb::Get);
        for page in readable.filter(|page| page.path != "/explain") {
            let got = answer(address, &format!("GET {}", page.path), &[LOCAL]).await;
            let head = answer(address, &format!("HEAD {}", page.path), &[LOCAL]).await;
            for name in ["content-type", "cache-control", "x-content-type-options"] {
                assert_eq!(header(&got, name), header(&head, name), "{}", page.path);
            }
            assert_eq!(
                (status(&got), status(&head)),
                ("200", "200"),
                "{}",
                page.path
            );
            assert_eq!(header(&got, "cache-control"), Some("no-cache, max-age=0"));
            assert_eq!(header(&got, "x-content-type-options"), Some("nosniff"));
            assert!(head.ends_with("\r\n\r\n"), "{head}");
            assert!(!got.ends_with("\r\n\r\n"), "{got}");
        }
        for line in ["GET /nothing", "POST /ready", "GET /explain"] {
            let refused = answer(address, line, &[LOCAL]).await;
            assert_eq!(header(&refused, "x-content-type-options"), Some("nosniff"));
            assert_eq!(
                header(&refused, "cache-control"),
                Some("no-cache, max-age=0")
            );
        }
    })
    .await;
}

#[tokio::test]
async fn the_page_at_the_root_is_for_browsers_and_text_for_who_asks_for_it() {
    let folder = tempfile::tempdir().expect("folder");
    let admin = admin(folder.path());
    served(&admin, 64, async |address| {
        let page = answer(
            address,
            "GET /",
            &[LOCAL, ("accept", "text/html,*/*;q=0.8")],
        )
        .await;
        let (head, html) = page.split_once("\r\n\r\n").expect("a head");
        assert_eq!(
            header(&page, "content-type"),
            Some("text/html; charset=utf-8")
        );
        assert!(html.len() < 150_000 && html.starts_with("<!doctype html>"));
        let policy = header(&page, "content-security-policy").expect(head);
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        assert!(policy.contains("connect-src 'self'"), "{policy}");
        let nonce = policy
            .split_once("script-src 'nonce-")
            .and_then(|(_, rest)| rest.split_once('\''))
            .map(|(nonce, _)| nonce)
            .expect(policy);
        assert!(html.contains(&format!("<script nonce=\"{nonce}\">")));
        assert!(html.contains(&format!("<style nonce=\"{nonce}\">")));
        let again = answer(address, "GET /", &[LOCAL]).await;
        assert!(!again.contains(nonce), "a nonce is used once");
        let help = answer(address, "GET /help", &[LOCAL]).await;
        let text = answer(address, "GET /", &[LOCAL, ("accept", "text/plain")]).await;
        let body = |answer: &str| {
            answer
                .split_once("\r\n\r\n")
                .map(|(_, body)| body.to_owned())
        };
        assert_eq!(body(&text), body(&help));
        for page in pages::PAGES {
            let line = format!("\n  {} ", page.path);
            let line = text.split_once(&line).map(|(_, rest)| rest.lines().next());
            let line = line.flatten().expect(page.path);
            assert_eq!(line.ends_with("(POST)"), page.verb == Verb::Post, "{line}");
        }
    })
    .await;
}
