use super::*;

fn policy() -> Cors {
    Cors {
        origins: vec![StringMatch::Exact("https://page.test".into())],
        methods: "GET,PUT".into(),
        headers: "*".into(),
        expose: "x-seen".into(),
        max_age: Some(std::time::Duration::from_secs(60)),
        credentials: Some(true),
        ignore_unmatched: false,
    }
}

fn asking(origin: &str, preflight: bool) -> (Method, HeaderMap) {
    let mut headers = HeaderMap::new();
    headers.insert(header::ORIGIN, origin.parse().expect("value"));
    if !preflight {
        return (Method::GET, headers);
    }
    for (name, value) in [
        (header::ACCESS_CONTROL_REQUEST_METHOD, "PUT"),
        (header::ACCESS_CONTROL_REQUEST_HEADERS, "x-one,x-two"),
    ] {
        headers.insert(name, value.parse().expect("value"));
    }
    (Method::OPTIONS, headers)
}

fn shown(cors: &Cors, (method, headers): (Method, HeaderMap)) -> String {
    let list = |headers: &HeaderMap| {
        let lines = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().expect("text")));
        lines.collect::<Vec<_>>().join("; ")
    };
    match verdict(cors, &method, &headers) {
        Verdict::Pass => "pass".to_owned(),
        Verdict::Mark(origin) => {
            let mut headers = HeaderMap::new();
            allow_origin(cors, origin, &mut headers);
            format!("mark {}", list(&headers))
        }
        Verdict::Answer(response) => format!(
            "{} {}",
            response.status().as_u16(),
            list(response.headers())
        ),
    }
}

#[test]
fn preflights_are_answered() {
    assert_eq!(
        shown(&policy(), asking("https://page.test", true)),
        "200 access-control-allow-origin: https://page.test; access-control-allow-credentials: true; \
         access-control-allow-methods: GET,PUT; access-control-allow-headers: x-one,x-two; access-control-expose-headers: x-seen; access-control-max-age: 60"
    );
}

#[test]
fn a_preflight_of_another_origin_goes_on_unless_ignored() {
    let mut cors = policy();
    assert_eq!(shown(&cors, asking("https://other.test", true)), "pass");
    cors.ignore_unmatched = true;
    let ignored = shown(&cors, asking("https://other.test", true));
    assert!(
        ignored.starts_with("200 ") && !ignored.contains("allow-origin"),
        "{ignored}"
    );
}

#[test]
fn answers_to_pages_of_allowed_origins_are_marked() {
    assert_eq!(
        shown(&policy(), asking("https://page.test", false)),
        "mark access-control-allow-origin: https://page.test; access-control-allow-credentials: true; \
         access-control-expose-headers: x-seen"
    );
    assert_eq!(
        shown(&policy(), asking("https://other.test", false)),
        "pass"
    );
    assert_eq!(shown(&policy(), (Method::GET, HeaderMap::new())), "pass");
    let mut any = policy();
    any.origins = vec![StringMatch::Present];
    assert!(
        shown(&any, asking("null", false)).starts_with("mark access-control-allow-origin: null")
    );
}
