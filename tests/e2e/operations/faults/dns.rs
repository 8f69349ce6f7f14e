//! Name servers that are dead, slow, wrong, that truncate, lead in circles, or let nothing be remembered: what is lost is what
//! has no address, and a name that was resolved before serves on.

use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use egret_tests::egret::Proxy;
use egret_tests::names::Answer;
use egret_tests::netns::Host;
use egret_tests::objects::ServiceEntry;
use egret_tests::origin::{Origin, at_once, text};
use egret_tests::places::{ALIYUN, CNN, DNS_SERVER, ELSEWHERE, Family, Located, SLEEP, Site};
use egret_tests::topology::World;
use hyper::StatusCode;

use crate::helpers::calls::Target;
use crate::helpers::stage;
use crate::helpers::stage::field;

/// Requests of each fault.
const SENT: u64 = 10;

/// What a name server answers, and the status of a request to a name that was never resolved.
struct Fault {
    name: &'static str,
    answer: fn(IpAddr) -> Answer,
    status: u16,
    reason: &'static str,
}

const FAULTS: [Fault; 10] = [
    Fault {
        name: "silent.example",
        answer: |_| Answer::Silence,
        status: 503,
        reason: "timeout",
    },
    Fault {
        name: "slow.example",
        answer: |address| Answer::Slow(Duration::from_secs(1), vec![address]),
        status: 200,
        reason: "",
    },
    Fault {
        name: "failing.example",
        answer: |_| Answer::ServFail,
        status: 503,
        reason: "servfail",
    },
    Fault {
        name: "refused.example",
        answer: |_| Answer::Refused,
        status: 503,
        reason: "refused",
    },
    Fault {
        name: "gone.example",
        answer: |_| Answer::NxDomain,
        status: 503,
        reason: "nxdomain",
    },
    Fault {
        name: "spoofed.example",
        answer: |address| Answer::Forged {
            addresses: vec![address],
            false_address: ALIYUN.v4(),
        },
        status: 200,
        reason: "",
    },
    Fault {
        name: "garbage.example",
        answer: |_| Answer::Garbage,
        status: 503,
        reason: "",
    },
    Fault {
        name: "truncated.example",
        answer: |address| Answer::Truncated(vec![address]),
        status: 200,
        reason: "",
    },
    Fault {
        name: "circle.example",
        answer: |_| Answer::Alias("circle.example".into()),
        status: 503,
        reason: "cname_loop",
    },
    Fault {
        name: "fleeting.example",
        answer: |address| Answer::Addresses(vec![address], 0),
        status: 200,
        reason: "",
    },
];

/// The address that all names have.
const ORIGIN: Site = CNN;

/// A world in which each of the faults' names is a ServiceEntry's.
struct Stage {
    world: World,
    origin: Origin,
    forger: Origin,
}

impl Stage {
    fn new(name: &str) -> anyhow::Result<Self> {
        let world = World::new(name, Family::V4)?;
        let page = at_once(|_| text(StatusCode::OK, "ok\n"));
        Ok(Self {
            origin: world.http(ORIGIN, 80, &page)?,
            forger: world.http(ALIYUN, 80, &page)?,
            world,
        })
    }

    fn sidecar<'p>(
        &self,
        pod: &'p Host,
    ) -> anyhow::Result<(Proxy<'p>, egret_tests::folder::Folder)> {
        let entries = FAULTS.map(|fault| ServiceEntry::new(fault.name).port(80, "HTTP"));
        let entries = entries.map(|entry| format!("---\n{entry}")).concat();
        let config = stage::registered("names.yaml", &entries)?;
        let sidecar = stage::sidecar(&self.world, pod, "default", &config)?;
        Ok((sidecar, config))
    }

    /// Makes a name resolve well; the answer is not valid for long.
    fn mend(&self, name: &str) {
        let good = Answer::Addresses(vec![ORIGIN.v4()], 0);
        self.world.names.set(name, good);
    }
}

#[test]
fn each_request_is_answered_with_what_the_name_server_says() -> anyhow::Result<()> {
    let stage = Stage::new("faults-dns")?;
    let pod = stage.world.pod(SLEEP, "default")?;
    let (sidecar, _config) = stage.sidecar(&pod)?;
    for fault in FAULTS {
        let Fault { name, status, .. } = fault;
        let names = &stage.world.names;
        names.set(name, (fault.answer)(ORIGIN.v4()));
        let before = stage.origin.requests.len() as u64;
        let tally = Target::named(name).call(&pod, SENT);
        tally.assert_answered(&[status], name);
        let arrived = stage.origin.requests.len() as u64 - before;
        assert_eq!(arrived, tally.of(200), "{name}");
        // Both families, and once more each time that a second passes.
        let questions = names.questions(name) as u64;
        assert!(questions < 2 * SENT, "{name}: {questions} questions");
        let own = |line: &serde_json::Value| field(line, "authority") == name;
        let failed = |line: &serde_json::Value| {
            let why = field(line, "upstream_transport_failure_reason");
            own(line) && why.contains(fault.reason)
        };
        sidecar.await_access(failed)?;
        stage::until(|| {
            let lines = sidecar.access_log();
            Ok(lines.iter().filter(|line| own(line)).count() as u64 == tally.sent)
        })?;
        stage.mend(name);
        stage::until(|| Ok(Target::named(name).call(&pod, 1).of(200) == 1))?;
    }
    assert!(
        stage.forger.connections.is_empty(),
        "forged answers are not used"
    );
    Ok(())
}

#[test]
fn a_name_that_was_resolved_serves_through_each_fault() -> anyhow::Result<()> {
    let stage = Stage::new("faults-dns-stale")?;
    let pod = stage.world.pod(SLEEP, "default")?;
    let (_sidecar, _config) = stage.sidecar(&pod)?;
    let names = &stage.world.names;
    for Fault { name, .. } in FAULTS {
        stage.mend(name);
        Target::named(name)
            .call(&pod, SENT)
            .assert_answered(&[200], name);
    }
    let mut asked = Vec::new();
    for Fault { name, answer, .. } in FAULTS {
        names.set(name, answer(ORIGIN.v4()));
        asked.push((name, names.questions(name)));
    }
    stage::until(|| {
        for (name, _) in &asked {
            let tally = Target::named(name).call(&pod, 1);
            tally.assert_answered(&[200], name);
        }
        let again = |(name, before): &(&str, usize)| names.questions(name) > *before;
        Ok(asked.iter().all(again))
    })?;
    for Fault { name, .. } in FAULTS {
        let tally = Target::named(name).call(&pod, SENT);
        tally.assert_answered(&[200], name);
    }
    assert!(
        stage.forger.connections.is_empty(),
        "forged answers are not used"
    );
    Ok(())
}

#[test]
fn a_dead_name_server_takes_only_names_that_were_never_resolved() -> anyhow::Result<()> {
    let stage = Stage::new("faults-dns-dead")?;
    let pod = stage.world.pod(SLEEP, "default")?;
    let (sidecar, _config) = stage.sidecar(&pod)?;
    let [known, unknown, ..] = FAULTS.map(|fault| fault.name);
    stage.mend(known);
    stage.mend(unknown);
    let resolved = Target::named(known);
    resolved.call(&pod, SENT).assert_answered(&[200], known);
    // The file is mounted over the pod's. Nothing listens for DNS at that address.
    let pods = stage.world.folder().join("pods").join(SLEEP.name);
    let resolv_conf = pods.join("resolv.conf");
    let alive = fs::read_to_string(&resolv_conf)?;
    let dead = alive.replace(&DNS_SERVER.v4().to_string(), &ELSEWHERE.v4().to_string());
    assert_ne!(dead, alive);
    fs::write(&resolv_conf, dead)?;
    let tally = Target::named(unknown).call(&pod, SENT);
    tally.assert_answered(&[503], unknown);
    sidecar.await_log(&["WARN", unknown, "unreachable"])?;
    // The known name's question fails, too, once its answer is no longer valid.
    let fails = |page: &str| {
        let mut rows = page.lines();
        rows.any(|row| row.starts_with(known) && row.contains("unreachable"))
    };
    stage::until(|| {
        resolved.call(&pod, 1).assert_answered(&[200], known);
        Ok(fails(&sidecar.page("/clusters")?.body))
    })?;
    resolved.call(&pod, SENT).assert_answered(&[200], known);
    fs::write(&resolv_conf, alive)?;
    stage::until(|| Ok(Target::named(unknown).call(&pod, 1).of(200) == 1))?;
    resolved.call(&pod, SENT).assert_answered(&[200], known);
    Ok(())
}
