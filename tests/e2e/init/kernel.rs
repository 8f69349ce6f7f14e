//! `egret-init explain` and the kernel agree, on flags and packets that dice choose.
//!
//! The dice are the same at every run; `EGRET_DICE` sets others, and `EGRET_ROUNDS` how many sets of flags are tried.

use std::net::{IpAddr, SocketAddr};

use crate::helpers::init_world::{Fate, InitWorld, Owner, POD, POD_AT_ETH1, SERVERS, at};

const ROUNDS: u64 = 30;
const PACKETS: u64 = 20;

#[test]
fn explain_agrees_with_the_kernel() -> anyhow::Result<()> {
    let number = |name: &str, default| {
        let text = std::env::var(name).ok();
        text.map_or(Ok(default), |text| text.parse())
    };
    let (seed, rounds) = (number("EGRET_DICE", 1)?, number("EGRET_ROUNDS", ROUNDS)?);
    let mut captured = 0;
    let mut problems = Vec::new();
    for round in 0..rounds {
        let mut dice = Dice(seed.wrapping_mul(1_000_003).wrapping_add(round));
        let (flags, owner) = random_flags(&mut dice);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let world = InitWorld::new()?;
        world.done(&flags)?;
        world.serve_proxy(owner)?;
        for _ in 0..PACKETS {
            let packet = Packet::random(&mut dice);
            let (expected, words) = packet.explained(&world, &flags)?;
            let actual = packet.tried(&world);
            captured += u32::from(matches!(actual, Fate::Proxy(_)));
            if expected != actual {
                problems.push(format!(
                    "{flags:?}\n  {packet:?}\n  went to {actual:?} and is explained:\n{words}"
                ));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(
        captured > 50,
        "the dice meet the rules that capture: {captured}"
    );
    Ok(())
}

/// Marsaglia's xorshift, which is random enough to choose among a few.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let sides = u64::try_from(sides).expect("few sides");
        usize::try_from((self.0 >> 11) % sides).expect("less than sides")
    }

    fn one<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.below(among.len())]
    }
}

/// Flags and variables, and whose the proxy's listeners are.
fn random_flags(dice: &mut Dice) -> (Vec<String>, Owner) {
    // The first throws of neighbouring seeds are alike.
    for _ in 0..16 {
        dice.below(2);
    }
    let (users, owner) = dice.one(&[
        (&["-u", "1337"][..], (1337, 1337)),
        (&["-u", "1337", "-g", "1338"], (1337, 1338)),
        (&["-u", "1337,7", "-g", "1337,8-9"], (1337, 1337)),
    ]);
    let mut flags = vec![users];
    let mut some = |choices: &[&'static [&'static str]]| flags.push(dice.one(choices));
    some(&[
        &["-i", "*"],
        &["-i", "*"],
        &[],
        &["-i", "192.0.2.0/24,10.9.0.0/16,2001:db8::/32"],
        &["-i", "127.0.0.0/8,192.0.2.0/25"],
    ]);
    some(&[
        &["-b", "*"],
        &["-b", "*"],
        &[],
        &["-b", "80,15008,53"],
        &["-b", "*", "-d", "80,400-500"],
    ]);
    some(&[
        &[],
        &[],
        &["-x", "192.0.2.2/32,10.9.0.0/17,2001:db8:9::/48"],
        &["-x", "0.0.0.0/0"],
    ]);
    some(&[&[], &[], &["-o", "443"], &["-o", "22,53,4000-5000"]]);
    some(&[&[], &[], &["-q", "443,8080"]]);
    some(&[&[], &[], &["-c", "eth1"], &["-c", "eth+"]]);
    some(&[&[], &[], &["-k", "eth1"]]);
    some(&[&[], &["-m", "TPROXY"], &["-m", "REDIRECT"]]);
    some(&[
        &[],
        &["--redirect-dns"],
        &["--redirect-dns", "--capture-all-dns"],
    ]);
    some(&[
        &[],
        &["--dual-stack"],
        &["--dual-stack"],
        &["--ipv6", "off"],
        &["--ipv6", "block"],
    ]);
    some(&[&[], &["--block-quic"]]);
    some(&[&[], &["--drop-invalid"]]);
    some(&[&[], &["--strict-istio=false"]]);
    some(&[
        &[],
        &[],
        &["ISTIO_OUTBOUND_OWNER_GROUPS=0,1000-1200"],
        &["ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE=1000"],
    ]);
    some(&[&[], &[], &["ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR=127.0.0.0/8"]]);
    some(&[&[], &[], &["-e", "80"]]);
    (
        flags.concat().into_iter().map(str::to_owned).collect(),
        owner,
    )
}

#[derive(Clone, Copy, Debug)]
struct Packet {
    /// `None` when it comes from outside.
    owner: Option<Owner>,
    /// The interface it comes in by, when it comes from outside.
    interface: &'static str,
    from: Option<IpAddr>,
    to: SocketAddr,
    udp: bool,
}

impl Packet {
    fn random(dice: &mut Dice) -> Self {
        let port = dice.one(&[22, 53, 53, 80, 80, 443, 443, 4000, 8080, 15008]);
        let udp = dice.below(3) == 0;
        if dice.below(3) == 0 {
            let (interface, addresses) = dice.one(&[("eth0", POD), ("eth1", POD_AT_ETH1)]);
            return Self {
                owner: None,
                interface,
                from: None,
                to: at(dice.one(&addresses), port),
                udp,
            };
        }
        let to = dice.one(&[
            POD[0],
            POD[0],
            POD[1],
            "127.0.0.1",
            "127.0.0.2",
            "::1",
            SERVERS[0],
            SERVERS[1],
            "192.0.2.2",
            "192.0.2.200",
            "10.9.0.1",
            "10.9.200.1",
            "203.0.113.7",
            "2001:db8::2",
            "2001:db8:9::1",
            "10.2.0.1",
        ]);
        let is_local = POD.contains(&to);
        let pass = if to.contains(':') { "::6" } else { "127.0.0.6" };
        let from =
            (is_local && dice.below(3) == 0).then(|| pass.parse().expect("both are addresses"));
        Self {
            owner: Some((
                dice.one(&[0, 1000, 1337, 1337, 7]),
                dice.one(&[0, 1000, 1337, 1338, 9]),
            )),
            interface: "",
            // Without IPv6, nobody has given the pod the address.
            from: from.filter(IpAddr::is_ipv4),
            to: at(to, port),
            udp,
        }
    }

    fn tried(&self, world: &InitWorld) -> Fate {
        match (self.owner, self.udp) {
            (Some(owner), false) => world.tcp(owner, self.from, self.to),
            (Some(owner), true) => world.udp(owner, self.from, self.to),
            (None, false) => world.tcp_from_outside(self.to),
            (None, true) => world.udp_from_outside(self.to),
        }
    }

    /// What `explain` says, as a fate and in words.
    fn explained(&self, world: &InitWorld, flags: &[&str]) -> anyhow::Result<(Fate, String)> {
        let mut words = vec!["explain".to_owned(), "--to".to_owned(), self.to.to_string()];
        match self.owner {
            Some((uid, gid)) => words
                .extend(["--uid", &uid.to_string(), "--gid", &gid.to_string()].map(str::to_owned)),
            None => words.extend(["--from-interface", self.interface].map(str::to_owned)),
        }
        if self.owner.is_some() && !self.is_inside() {
            let through = if self.to.ip().to_string() == "10.2.0.1" {
                "eth1"
            } else {
                "eth0"
            };
            words.extend(["--through", through].map(str::to_owned));
        }
        if let Some(from) = self.from {
            words.extend(["--from", &from.to_string()].map(str::to_owned));
        }
        if self.udp {
            words.push("--udp".to_owned());
        }
        let words: Vec<&str> = flags
            .iter()
            .copied()
            .chain(words.iter().map(String::as_str))
            .collect();
        let said = world.done(&words)?;
        let first = said.lines().next().unwrap_or_default();
        let port = first.strip_prefix("captured: goes to the proxy's port ");
        let fate = match port {
            Some(port) => Fate::Proxy(port.parse()?),
            None if first.starts_with("not captured") => Fate::Untouched,
            // Somebody who is refused at a port where nobody listens learns nothing more.
            None if first.starts_with("refused") && self.owner.is_none() => Fate::Untouched,
            None if first.starts_with("refused") => Fate::Refused,
            None => anyhow::bail!("explain says: {said}"),
        };
        Ok((fate, said))
    }

    fn is_inside(&self) -> bool {
        let to = self.to.ip();
        to.is_loopback() || POD.iter().any(|own| own.parse() == Ok(to))
    }
}
