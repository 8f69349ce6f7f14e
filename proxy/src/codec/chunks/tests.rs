use super::*;

/// The content of a body that comes in pieces of this many bytes, and how many bytes come behind it; `None` for one that
/// is malformed, and no count for one that has not ended.
fn read(body: &[u8], piece: usize) -> Option<(Vec<u8>, Option<usize>)> {
    let (mut reader, mut trailers, mut content) = (ChunkReader::default(), None, Vec::new());
    let mut behind = body.len();
    for mut bytes in body.chunks(piece) {
        while !bytes.is_empty() {
            let count = match &mut trailers {
                None => match reader.next(bytes) {
                    Part::Framing(count) => count,
                    Part::Content(count) => {
                        content.extend_from_slice(&bytes[..count]);
                        count
                    }
                    Part::Last(count) => {
                        trailers = Some(TrailersEnd::default());
                        count
                    }
                    Part::Malformed => return None,
                },
                Some(trailers) => match trailers.find(bytes) {
                    Some(count) => return Some((content, Some(behind - count))),
                    None => bytes.len(),
                },
            };
            bytes = &bytes[count..];
            behind -= count;
        }
    }
    Some((content, None))
}

#[test]
fn bodies_are_followed_in_pieces_of_any_size() {
    let long = format!("{:x}\r\n{}\r\n0\r\n\r\n", 300, "x".repeat(300));
    for (body, content, behind) in [
        ("0\r\n\r\n", "", Some(0)),
        (
            "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
            "hello world",
            Some(0),
        ),
        // Extensions, blanks, zeros in front, digits of either case.
        ("005;x=y;5\r\nhello\r\n0;z\r\n\r\nmore", "hello", Some(4)),
        (
            "0000000000000000000000A \t\r\nhellohello\r\n0 ;\r\n\r\n",
            "hellohello",
            Some(0),
        ),
        // Chunks that look like framing.
        ("4\r\n\r\n0\r\r\n0\r\n\r\n", "\r\n0\r", Some(0)),
        // Line feeds alone.
        ("5\nhello\n0\n\nmore", "hello", Some(4)),
        // Trailers.
        ("0\r\na: b\r\nc: d\r\n\r\n\r\n", "", Some(2)),
        // What has not ended.
        ("", "", None),
        ("5", "", None),
        ("5\r\nhel", "hel", None),
        ("5\r\nhello\r\n0\r\n", "hello", None),
        ("0\r\na: b\r\n", "", None),
        (&long, &"x".repeat(300), Some(0)),
    ] {
        for piece in [1, 2, 3, 7, 4096] {
            let expected = Some((content.as_bytes().to_vec(), behind));
            assert_eq!(read(body.as_bytes(), piece), expected, "{body:?} {piece}");
        }
    }
}

#[test]
fn malformed_chunks_are_refused() {
    for body in [
        "\r\nhello\r\n",
        "-5\r\nhello\r\n",
        "+5\r\nhello\r\n",
        " 5\r\nhello\r\n",
        "0x5\r\nhello\r\n",
        "5 5\r\nhello\r\n",
        "5x\r\nhello\r\n",
        "5\r\nhelloX\r\n",
        "5\r\nhello\rX",
        "5\r\nhello\r\n\r\n",
        "10000000000000000\r\n",
        "fffffffffffffffff\r\n",
    ] {
        for piece in [1, 3, 64] {
            assert_eq!(read(body.as_bytes(), piece), None, "{body:?} {piece}");
        }
    }
}

#[test]
fn nothing_is_read_behind_the_end() {
    let mut reader = ChunkReader::default();
    assert_eq!(reader.next(b"0\r\n5\r\n"), Part::Last(3));
    assert_eq!(reader.next(b"5\r\n"), Part::Malformed);
    assert_eq!(reader.next(b"5\r\n"), Part::Malformed);
}

#[test]
fn the_largest_chunk_is_followed() {
    let mut reader = ChunkReader::default();
    assert_eq!(reader.next(b"ffffffffffffffff\r\nab"), Part::Framing(18));
    assert_eq!(reader.next(b"ab"), Part::Content(2));
}

#[test]
fn written_chunks_can_be_read() {
    let mut out = BytesMut::new();
    write(&[b'x'; 300], &mut out);
    write(b"y", &mut out);
    out.extend_from_slice(LAST_CHUNK);
    let content = [&[b'x'; 300][..], b"y"].concat();
    assert_eq!(read(&out, 4096), Some((content, Some(0))));
    assert_eq!(LAST_SIZE, b"0\r\n");
}
