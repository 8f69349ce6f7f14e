//! HTTP/2 that breaks RFC 9113, and what it is answered with.

use std::rc::Rc;

use tokio::io::{AsyncReadExt, DuplexStream};
use tokio::sync::Notify;

use crate::http::tests::details::say;
use crate::http::tests::world::*;

mod code {
    pub(super) const HEADERS: u8 = 1;
    pub(super) const RESET: u8 = 3;
    pub(super) const SETTINGS: u8 = 4;
    pub(super) const GOAWAY: u8 = 7;
}

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("short");
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
}

/// The head of a GET of `/`, whole or with a body to come.
fn get(authority: &str, flags: u8) -> Vec<u8> {
    let length = u8::try_from(authority.len()).expect("short");
    let block = [&[0x82, 0x86, 0x84, 0x01, length], authority.as_bytes()].concat();
    frame(code::HEADERS, flags, 1, &block)
}

/// The frames that come, up to one of these kinds or the end: kind, stream and the first eight bytes of the payload.
async fn frames(client: &mut DuplexStream, last: &[u8]) -> Vec<(u8, u8, Vec<u8>)> {
    let mut all = Vec::new();
    let mut head = [0; 9];
    while client.read_exact(&mut head).await.is_ok() {
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        client.read_exact(&mut payload).await.expect("a payload");
        payload.truncate(8);
        all.push((head[3], head[8], payload));
        if last.contains(&head[3]) {
            break;
        }
    }
    all
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const PROTOCOL_ERROR: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const WHOLE: u8 = END_STREAM | END_HEADERS;

/// The frames that answer a client which sends this after the preface.
async fn answer(world: &World, bytes: &[u8]) -> Vec<(u8, u8, Vec<u8>)> {
    let mut client = world.client2(vip());
    say(&mut client, PREFACE).await;
    say(&mut client, bytes).await;
    frames(&mut client, &[code::HEADERS, code::RESET, code::GOAWAY]).await
}

#[test]
fn http2_begins_with_settings() {
    worker(|| async {
        let world = World::with(&service("a", "HTTP", &[]));
        let settings = frame(code::SETTINGS, 0, 0, b"");
        let answered = answer(&world, &[settings, get("a.test", WHOLE)].concat()).await;
        assert!(
            answered.iter().any(|(kind, ..)| *kind == code::HEADERS),
            "{answered:?}"
        );
        for first in [
            get("a.test", WHOLE),
            frame(code::SETTINGS, 1, 0, b""),
            frame(6, 0, 0, &[0; 8]),
        ] {
            let told = answer(&world, &first).await;
            let goaway = told.iter().find(|(kind, ..)| *kind == code::GOAWAY);
            let (_, _, payload) = goaway.expect("GOAWAY");
            assert_eq!(payload[7], PROTOCOL_ERROR, "{told:?}");
            assert!(
                !told.iter().any(|(kind, ..)| *kind == code::HEADERS),
                "{told:?}"
            );
        }
    });
}

#[test]
fn http2_has_no_users_and_no_pseudo_fields_in_trailers() {
    worker(|| async {
        let silent = Rc::new(Notify::new());
        let (address, _) = origin(move |mut stream, _| {
            let silent = Rc::clone(&silent);
            async move {
                let _ = stream.read_to_end(&mut Vec::new()).await;
                silent.notify_one();
            }
        })
        .await;
        let world = World::with(&service("a", "HTTP", &[address]));
        let settings = frame(code::SETTINGS, 0, 0, b"");
        let trailers = |block: &[u8]| {
            let trailers = frame(code::HEADERS, WHOLE, 1, block);
            [settings.clone(), get("a.test", END_HEADERS), trailers].concat()
        };
        for bytes in [
            [settings.clone(), get("me@a.test", WHOLE)].concat(),
            trailers(&[0x84]),
            trailers(b"\x00\x05:path\x01/"),
            trailers(b"\x40\x05:path\x01/"),
            // In Huffman's code.
            trailers(b"\x00\x84\xb9\x58\xd3\x3f\x01/"),
            trailers(b"\x04\x01/"),
            // Behind the size of the table.
            trailers(b"\x20\x84"),
        ] {
            let told = answer(&world, &bytes).await;
            let reset = told.iter().find(|(kind, ..)| *kind == code::RESET);
            let (_, stream, payload) = reset.unwrap_or_else(|| panic!("{told:?}"));
            assert_eq!((*stream, payload[3]), (1, PROTOCOL_ERROR), "{told:?}");
        }
        let line = &world.lines()[0];
        assert_eq!(
            (&line["response_code"], &line["response_flags"]),
            (&0.into(), &"DPE".into())
        );
    });
}

#[test]
fn a_clients_goaway_ends_the_connection_without_an_error() {
    worker(|| async {
        let world = World::with(&service("a", "HTTP", &[]));
        for error in [0, 2, 8] {
            let goaway = frame(code::GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, error]);
            let settings = frame(code::SETTINGS, 0, 0, b"");
            for before in [vec![], get("a.test", WHOLE)] {
                let asked = !before.is_empty();
                let mut client = world.client2(vip());
                say(&mut client, PREFACE).await;
                say(
                    &mut client,
                    [settings.clone(), before, goaway.clone()].concat(),
                )
                .await;
                let told = frames(&mut client, &[]).await;
                let answered = told.iter().any(|(kind, ..)| *kind == code::HEADERS);
                assert_eq!(answered, asked, "{error}: {told:?}");
                let codes = told.iter().filter(|(kind, ..)| *kind == code::GOAWAY);
                assert!(
                    codes.clone().all(|(.., payload)| payload[7] == 0),
                    "{error}: {told:?}"
                );
            }
        }
        assert!(
            world
                .lines()
                .iter()
                .all(|line| line["response_flags"] == "UH")
        );
    });
}
