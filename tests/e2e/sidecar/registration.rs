//! Registering a host lets it be called, and nothing else.

use egret_tests::client::curl;
use egret_tests::folder::Folder;
use egret_tests::origin::httpbin;
use egret_tests::places::{ELSEWHERE, Family, HTTPBIN_ORG, Located, SLEEP};
use egret_tests::topology::World;

use crate::helpers::stage;
use crate::helpers::stage::REGISTRY_ONLY;

#[test]
fn httpbin_answers_with_the_headers_it_got() -> anyhow::Result<()> {
    let world = World::new("001-registration", Family::V4)?;
    let origin = world.http(HTTPBIN_ORG, 80, &httpbin())?;
    let other = world.http(ELSEWHERE, 80, &httpbin())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY, "google_by_sni/httpbin.yaml"])?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;

    let answer = curl(&pod, &["http://httpbin.org/headers"])?;
    assert_eq!(answer.status, 200, "{answer:?}");
    for name in ["x-request-id", "x-forwarded-proto", "x-envoy-attempt-count"] {
        assert!(
            answer.body.contains(name),
            "the origin got {name}: {answer:?}"
        );
    }
    assert_eq!(answer.header("server"), Some("egret"));
    assert_eq!(origin.only_request()?.peer.ip(), SLEEP.v4());

    assert_eq!(
        curl(&pod, &["http://elsewhere.example/headers"])?.status,
        502
    );
    assert!(other.connections.is_empty());
    Ok(())
}

#[test]
fn requests_of_all_shapes_arrive_whole() -> anyhow::Result<()> {
    let world = World::new("001-shapes", Family::V4)?;
    let origin = world.http(HTTPBIN_ORG, 80, &httpbin())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY, "google_by_sni/httpbin.yaml"])?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let large = "x".repeat(100_000);
    let posts: [&[&str]; 3] = [
        &["-d", &large, "http://httpbin.org/get?a=b%20c"],
        &[
            "-d",
            &large,
            "-H",
            "Transfer-Encoding: chunked",
            "http://httpbin.org/get?a=b%20c",
        ],
        &[
            "-X",
            "DELETE",
            "-d",
            &large,
            "-H",
            "Expect: 100-continue",
            "http://httpbin.org/get?a=b%20c",
        ],
    ];
    for (count, arguments) in posts.into_iter().enumerate() {
        let answer = curl(&pod, arguments)?;
        assert_eq!(
            (answer.status, answer.exit),
            (404, 0),
            "httpbin has no such target: {answer:?}"
        );
        let seen = origin.requests.all();
        assert_eq!(seen.len(), count + 1);
        assert_eq!(
            (seen[count].target.as_str(), seen[count].body.len()),
            ("/get?a=b%20c", large.len())
        );
    }
    let methods: Vec<_> = origin
        .requests
        .all()
        .into_iter()
        .map(|seen| seen.method)
        .collect();
    assert_eq!(methods, ["POST", "POST", "DELETE"]);
    Ok(())
}
