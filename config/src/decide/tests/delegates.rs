//! Rules that are written elsewhere.

use super::*;

fn world(root: &str, leaf: &str) -> World {
    let service = entry(
        "a",
        "{hosts: [a.test], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]}",
    );
    let root = object(
        "VirtualService",
        "root",
        &format!("{{hosts: [a.test], http: [{root}]}}"),
    );
    let leaf = object("VirtualService", "far/leaf", &format!("{{http: [{leaf}]}}"));
    sidecar(REGISTRY_ONLY, &(service + &root + &leaf))
}

fn delegate(extra: &str) -> String {
    format!("{{{extra} delegate: {{name: leaf, namespace: far}}}}")
}

fn answer(extra: &str, text: &str) -> String {
    format!("{{{extra} directResponse: {{status: 200, body: {{string: {text}}}}}}}, ")
}

#[test]
fn conditions_are_joined() {
    let leaf = answer("match: [{uri: {exact: /a/b}}],", "exact")
        + &answer("match: [{uri: {prefix: /other}}],", "conflict")
        + &answer("match: [{headers: {x: {exact: '1'}}}],", "header")
        + &answer("", "rest");
    let root = delegate("match: [{uri: {prefix: /a}}],") + ", " + &answer("", "root");
    let world = world(&root, &leaf);
    world.check(
        "http 1.1.1.1:80 a.test/a/b => respond 200 exact
         http 1.1.1.1:80 a.test/a {x: 1} => respond 200 header
         http 1.1.1.1:80 a.test/a => respond 200 rest
         http 1.1.1.1:80 a.test/other => respond 200 root",
    );
    world.assert_problems(&[
        "VirtualService far/leaf: spec.http[1].match: an alternative agrees with none",
    ]);
}

#[test]
fn settings_of_the_delegate_win() {
    let leaf = "{name: leaf, rewrite: {uri: /leaf}, route: [{destination: {host: a.test}}]}";
    let root =
        delegate("name: root, rewrite: {uri: /root}, timeout: 2s, match: [{uri: {prefix: /}}],");
    world(&root, leaf)
        .check("http 1.1.1.1:80 a.test/x => outbound|80||a.test route=root-leaf path=/leafx");
}

#[test]
fn a_missing_delegate_does_nothing() {
    let root =
        "{match: [{uri: {prefix: /a}}], delegate: {name: gone}}, ".to_owned() + &answer("", "root");
    let world = world(&root, &answer("", "leaf"));
    world.check("http 1.1.1.1:80 a.test/a => respond 200 root");
    world.assert_problems(&[
        "spec.http[0].delegate: \"default/gone\": no VirtualService without hosts has this name",
    ]);
}
