//! The page at `/` of the admin address, in a real browser.

use anyhow::Context;
use egret_tests::browser::Browser;
use egret_tests::client::curl;
use egret_tests::origin::{at_once, text};
use egret_tests::places::{ELSEWHERE, Family, SLEEP};
use egret_tests::topology::World;
use hyper::StatusCode;
use nix::sys::signal::Signal;
use serde_json::json;

use crate::helpers::stage;
use crate::helpers::stage::registered_elsewhere;

const PAGE: &str = "http://127.0.0.1:15000/";

/// The rows that the table shows, as lines of cells.
const ROWS: &str = "[...document.querySelectorAll('#rows tr')].map(row => \
                    [...row.children].map(cell => cell.textContent).join('|')).join('\\n')";

#[test]
fn the_page_follows_what_is_called() -> anyhow::Result<()> {
    let world = World::new("home-page", Family::V4)?;
    world.http(ELSEWHERE, 80, &at_once(|_| text(StatusCode::OK, "hello")))?;
    let pod = world.pod(SLEEP, "default")?;
    let config = registered_elsewhere()?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let mut browser = Browser::start(&world, &pod)?;
    browser.open(PAGE)?;
    browser.await_true("document.querySelector('#problems').textContent !== 'loading'")?;
    assert_eq!(browser.evaluate("document.documentElement.lang")?, "en");
    assert_eq!(
        browser.evaluate("document.title.includes('sidecar default')")?,
        true
    );
    for words in ["LIVE", "REGISTRY_ONLY", "accepted"] {
        let shown = format!("document.querySelector('#facts').textContent.includes('{words}')");
        browser.await_true(&shown)?;
    }

    // Calls show up without a click, the refused one too, whatever its client calls it.
    assert_eq!(curl(&pod, &["elsewhere.example"])?.status, 200);
    let hostile = "Host: <img src=x onerror=alert(1)>.example";
    assert_eq!(
        curl(&pod, &["-H", "Host: bank.example", "elsewhere.example"])?.status,
        502
    );
    curl(&pod, &["-H", hostile, "elsewhere.example"])?;
    browser.await_true(&format!("{ROWS}.includes('elsewhere.example|')"))?;
    browser.await_true(&format!(
        "/bank.example\\|[^|]*\\|80\\|blackhole\\|1\\|/.test({ROWS})"
    ))?;
    browser.await_true("document.querySelector('#verdicts').textContent.includes('blackhole')")?;
    assert_eq!(
        browser.evaluate("document.querySelectorAll('main img').length")?,
        0
    );

    // It filters while one types, by verdict and by name, and sorts by column.
    let typed = |text: &str| {
        format!(
            "(() => {{ const filter = document.querySelector('#filter'); filter.value = '{text}'; \
             filter.dispatchEvent(new Event('input')); return {ROWS}; }})()"
        )
    };
    let filtered = browser.evaluate(&typed("blackh"))?;
    let filtered = filtered.as_str().context("rows")?;
    assert!(
        filtered.contains("bank.example") && !filtered.contains("elsewhere.example|"),
        "{filtered}"
    );
    let named = browser.evaluate(&typed("elsewhere"))?;
    assert_eq!(
        named.as_str().context("rows")?.lines().count(),
        1,
        "{named}"
    );
    browser.evaluate(&typed(""))?;
    for (order, first) in [
        ("ascending", "bank.example"),
        ("descending", "elsewhere.example"),
    ] {
        browser.evaluate("document.querySelector('#head-name button').click()")?;
        let sorted = "document.querySelector('#head-name').getAttribute('aria-sort')";
        assert_eq!(browser.evaluate(sorted)?, order);
        let names = browser.evaluate(
            "[...document.querySelectorAll('#rows td.name')].map(cell => cell.textContent) \
             .filter(name => !name.includes('<')).join(' ')",
        )?;
        let names = names.as_str().context("names")?;
        assert!(names.starts_with(first), "{order}: {names}");
    }

    // A row leads to the reasons.
    let link = browser.evaluate(
        "[...document.querySelectorAll('#rows a')].find(link => link.textContent === 'bank.example').href",
    )?;
    let link = link.as_str().context("a link")?;
    let path = link
        .strip_prefix("http://127.0.0.1:15000")
        .context("a page of this port")?;
    let explained = sidecar.page(path)?;
    assert_eq!(explained.status, 200, "{path}: {}", explained.body);
    assert!(
        explained.body.starts_with("blackhole"),
        "{}",
        explained.body
    );

    assert_eq!(browser.complaints(), Vec::<String>::new());
    let foreign: Vec<_> = browser
        .requests()
        .iter()
        .filter(|url| !url.starts_with(PAGE) && !url.starts_with("data:"))
        .collect();
    assert!(foreign.is_empty(), "{foreign:?}");
    Ok(())
}

#[test]
fn the_page_says_when_the_proxy_does_not_answer() -> anyhow::Result<()> {
    let world = World::new("home-page-away", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = registered_elsewhere()?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let mut browser = Browser::start(&world, &pod)?;
    browser.open(PAGE)?;
    browser.await_true("document.querySelector('#facts').textContent.includes('LIVE')")?;
    let away = "document.querySelector('#away')";
    assert_eq!(browser.evaluate(&format!("{away}.hidden"))?, true);
    sidecar.signal(Signal::SIGSTOP)?;
    browser.await_true(&format!(
        "!{away}.hidden && {away}.textContent.includes('does not answer') && {away}.textContent.includes('old')"
    ))?;
    sidecar.signal(Signal::SIGCONT)?;
    browser.await_true(&format!("{away}.hidden"))?;
    Ok(())
}

#[test]
fn the_page_fits_a_phone_and_the_dark() -> anyhow::Result<()> {
    let world = World::new("home-page-phone", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = registered_elsewhere()?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let long = format!("Host: {}.example", "long-name-".repeat(20));
    assert_eq!(curl(&pod, &["-H", &long, "elsewhere.example"])?.status, 502);
    let mut browser = Browser::start(&world, &pod)?;
    let phone = json!({ "width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": true });
    browser.call("Emulation.setDeviceMetricsOverride", phone)?;
    browser.open(PAGE)?;
    browser.await_true(&format!("{ROWS}.includes('long-name')"))?;
    let fits = "document.documentElement.scrollWidth <= 390 && innerWidth === 390";
    assert_eq!(browser.evaluate(fits)?, true);
    let ground = "getComputedStyle(document.body).backgroundColor";
    let mut grounds = Vec::new();
    for scheme in ["light", "dark"] {
        let feature = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        browser.call("Emulation.setEmulatedMedia", feature)?;
        grounds.push(browser.evaluate(ground)?);
    }
    assert_eq!(grounds, ["rgb(255, 255, 255)", "rgb(13, 17, 23)"]);
    // Everything that can be clicked can be reached by the keyboard.
    let reachable = browser.evaluate(
        "[...document.querySelectorAll('button, input, a')].every(one => one.tabIndex === 0)",
    )?;
    assert_eq!(reachable, true);
    Ok(())
}
