//! Requests that two readers may read in two ways, and the ways in which attackers hide them.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;

use crate::http::tests::world::*;

const HEAD: &str = "POST / HTTP/1.1\r\nHost: a.test\r\n";
const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";

#[test]
fn framing_that_is_said_twice_is_refused() {
    worker(|| async {
        let world = World::new();
        let (to, accepted) = origin(async |_, _| {}).await;
        let cases = [
            ("Content-Length: 4\r\n", CHUNKED, 400),
            (CHUNKED, "Content-Length: 4\r\n", 400),
            ("Content-Length: 4\r\n", "Content-Length: 4\r\n", 400),
            ("Transfer-Encoding: gzip\r\n", "", 501),
            (CHUNKED, "Transfer-Encoding: identity\r\n", 501),
            ("Transfer-Encoding: chunked, identity\r\n", "", 501),
        ];
        for (one, other, status) in cases {
            let mut client = world.client(to);
            let request = format!("{HEAD}{one}{other}\r\n0\r\n\r\n");
            client.write_all(request.as_bytes()).await.expect("written");
            let mut all = String::new();
            client.read_to_string(&mut all).await.expect("closed");
            let verdict = if status == 400 {
                "bad_request"
            } else {
                "transfer_coding"
            };
            assert!(
                all.starts_with(&format!("HTTP/1.1 {status} "))
                    && all.contains(&format!("x-egret-verdict: {verdict}\r\n"))
                    && all.contains("connection: close\r\n")
                    && all.contains("server: egret\r\n"),
                "{request}{all}"
            );
            assert_eq!(all.matches("HTTP/1.1").count(), 1, "{all}");
        }
        assert_eq!(accepted.get(), 0);
        let lines = world.lines();
        assert_eq!(lines.len(), cases.len());
        assert!(
            lines.iter().all(|line| line["response_flags"] == "DPE"),
            "{lines:#?}"
        );
        assert_eq!(lines[0]["method"], "POST");
    });
}

#[test]
fn it_is_refused_in_its_turn() {
    worker(|| async {
        let world = World::new();
        let seen: Rc<RefCell<Vec<String>>> = Rc::default();
        let ledger = Rc::clone(&seen);
        let (to, _) = origin(move |mut stream, _| {
            let ledger = Rc::clone(&ledger);
            async move {
                while let Some(request) = message(&mut stream).await {
                    ledger.borrow_mut().push(request);
                    answer(&mut stream, OK).await;
                }
            }
        })
        .await;
        let good = format!("{HEAD}Content-Length: 2\r\n\r\nab");
        let bad = format!("{HEAD}Content-Length: 4\r\n{CHUNKED}\r\n0\r\n\r\n");
        let never = "GET /never HTTP/1.1\r\nHost: a.test\r\n\r\n";
        let unreadable = "GET / HTTP/1.1\r\nHost : a.test\r\n\r\n";
        for last in [bad.as_str(), unreadable] {
            seen.borrow_mut().clear();
            let mut client = world.client(to);
            let all = format!("{good}{good}{last}{never}");
            client.write_all(all.as_bytes()).await.expect("written");
            let mut answers = String::new();
            client.read_to_string(&mut answers).await.expect("closed");
            let statuses: Vec<_> = answers
                .split("HTTP/1.1 ")
                .skip(1)
                .map(|answer| &answer[..3])
                .collect();
            assert_eq!(statuses, ["200", "200", "400"], "{answers}");
            assert_eq!(seen.borrow().len(), 2);
        }
    });
}
