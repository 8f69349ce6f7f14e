//! Tests of `CidrSet`.

use super::*;

fn parse(list: &str) -> CidrSet {
    CidrSet::parse(list).unwrap()
}

fn ipv4(list: &str) -> Vec<String> {
    parse(list).ipv4().iter().map(ToString::to_string).collect()
}

fn ipv6(list: &str) -> Vec<String> {
    parse(list).ipv6().iter().map(ToString::to_string).collect()
}

#[test]
fn star_is_every_address() {
    let every = parse("*");
    assert!(every.is_every());
    assert!(!every.is_empty());
    assert!(every.contains("1.2.3.4".parse().unwrap()));
    assert!(every.contains("2001:db8::1".parse().unwrap()));
    assert_eq!(every.ipv4(), []);
    assert_eq!(every.to_string(), "*");
    assert_eq!(every, CidrSet::every());
}

#[test]
fn empty_elements_are_skipped() {
    assert_eq!(parse(""), CidrSet::none());
    assert!(parse(",,").is_empty());
    assert_eq!(
        ipv4("10.0.0.0/8,,192.168.0.0/16,"),
        ["10.0.0.0/8", "192.168.0.0/16"]
    );
}

#[test]
fn families_mix() {
    let list = "10.0.0.0/8,fd00::/8,2001:db8::/32";
    assert_eq!(ipv4(list), ["10.0.0.0/8"]);
    assert_eq!(ipv6(list), ["2001:db8::/32", "fd00::/8"]);
    assert!(parse(list).contains("10.255.0.1".parse().unwrap()));
    assert!(!parse(list).contains("11.0.0.1".parse().unwrap()));
    assert!(parse(list).contains("fd12::1".parse().unwrap()));
    assert_eq!(parse(list).to_string(), list);
}

#[test]
fn overlaps_and_host_bits_merge() {
    assert_eq!(ipv4("10.1.2.3/8,10.4.0.0/16,10.0.0.0/8"), ["10.0.0.0/8"]);
    assert_eq!(ipv4("10.0.1.0/24,10.0.0.0/24"), ["10.0.0.0/23"]);
    assert_eq!(ipv4("0.0.0.0/1,128.0.0.0/1"), ["0.0.0.0/0"]);
    assert_eq!(ipv6("fd00::1/16,fd00:1::/32"), ["fd00::/16"]);
}

#[test]
fn every_fault_is_reported() {
    let errors = |list| CidrSet::parse(list).unwrap_err();
    assert_eq!(
        errors("10.0.0.1,*,10.0.0.0/33, 10.0.0.0/8,fd00::1"),
        [
            CidrError::BareAddress("10.0.0.1".parse().unwrap()),
            CidrError::StarInList,
            CidrError::Malformed("10.0.0.0/33".to_owned()),
            CidrError::Malformed(" 10.0.0.0/8".to_owned()),
            CidrError::BareAddress("fd00::1".parse().unwrap()),
        ]
    );
    assert_eq!(
        errors("10.0.0.1")[0].to_string(),
        "`10.0.0.1` has no prefix length: write `10.0.0.1/32`"
    );
    assert_eq!(
        errors("fd00::1")[0].to_string(),
        "`fd00::1` has no prefix length: write `fd00::1/128`"
    );
}

#[test]
fn loopback_is_judged_by_the_written_address() {
    assert!(parse("10.0.0.0/8,127.1.2.3/32").names_loopback());
    assert!(parse("::1/128").names_loopback());
    assert!(!parse("120.0.0.0/5").names_loopback());
    assert!(!parse("::/0").names_loopback());
    assert!(!parse("*").names_loopback());
}
