use super::*;

fn authority(uri: &str, hosts: &[&'static str]) -> Result<String, BadRequestKind> {
    let mut headers = HeaderMap::new();
    for host in hosts {
        headers.append(header::HOST, HeaderValue::from_static(host));
    }
    let uri = uri.parse().expect("uri");
    let authority = take_authority(&uri, Version::HTTP_11, false, &mut headers);
    let authority = authority.map_err(|bad| bad.kind)?;
    assert_eq!(
        headers.get_all(header::HOST).iter().collect::<Vec<_>>(),
        [&authority]
    );
    Ok(authority.to_str().expect("text").to_owned())
}

#[test]
fn the_authority_is_one_host() {
    for (uri, hosts, expected) in [
        ("/", &["a.test"][..], Ok("a.test")),
        ("/", &["a.test:80"], Ok("a.test:80")),
        ("/", &["[::1]:80"], Ok("[::1]:80")),
        ("/", &[""], Ok("")),
        ("http://b.test/x", &["a.test"], Ok("b.test")),
        ("http://user:pw@b.test:8080/x", &[], Ok("b.test:8080")),
        ("/", &[], Err(BadRequestKind::NoHost)),
        ("/", &["a.test", "b.test"], Ok("a.test,b.test")),
        ("/", &["a.test", "a.test"], Ok("a.test,a.test")),
        ("/", &["", "a.test", ""], Ok("a.test")),
        ("/", &["a.test", "b test"], Err(BadRequestKind::Host)),
        ("http://c.test/x", &["a.test", "b.test"], Ok("c.test")),
        ("/", &["a.test/x"], Err(BadRequestKind::Host)),
        ("/", &["a test"], Err(BadRequestKind::Host)),
        ("/", &["u@a.test"], Err(BadRequestKind::Host)),
        (
            "https://b.test/",
            &["b.test"],
            Err(BadRequestKind::Insecure),
        ),
        ("ftp://b.test/", &["b.test"], Err(BadRequestKind::Scheme)),
        ("b.test:80", &["b.test"], Err(BadRequestKind::Syntax)),
        ("b.test", &["b.test"], Err(BadRequestKind::Syntax)),
    ] {
        assert_eq!(
            authority(uri, hosts),
            expected.map(str::to_owned),
            "{uri} {hosts:?}"
        );
    }
}

#[test]
fn a_target_without_path_is_the_root() {
    for (uri, expected) in [
        ("http://a.test", Ok("/")),
        ("http://a.test?x", Ok("/?x")),
        ("/a/../b?q", Ok("/b?q")),
        ("/a%00?q", Err(BadRequestKind::Path)),
        ("/a?%00", Ok("/a?%00")),
        ("*", Err(BadRequestKind::Syntax)),
    ] {
        assert_eq!(
            take_path(
                &Method::GET,
                &uri.parse().expect("uri"),
                PathNormalization::Base
            )
            .as_ref()
            .map(PathAndQuery::as_str)
            .map_err(|bad| bad.kind),
            expected,
            "{uri}"
        );
    }
}
