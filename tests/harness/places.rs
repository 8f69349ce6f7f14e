//! Who is where in the small world: pods, sites, services, and the addresses of each.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A place on the pods' network, 10.34.0.N and `fd00:34::N`.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The pod's name.
    pub name: &'static str,
    /// The last part of its addresses.
    pub number: u8,
}

/// The application pod.
pub const SLEEP: Place = Place {
    name: "sleep",
    number: 140,
};
/// The pod with labels `istio: egressgateway`.
pub const EGRESS_GATEWAY: Place = Place {
    name: "egressgateway",
    number: 141,
};
/// The pod with labels `istio: ingressgateway`.
pub const INGRESS_GATEWAY: Place = Place {
    name: "ingressgateway",
    number: 142,
};
/// The pod behind the ingress gateway.
pub const PRODUCTPAGE: Place = Place {
    name: "productpage",
    number: 143,
};

/// A name on the internet and its addresses 198.51.100.N and `2001:db8::N`.
#[derive(Clone, Copy, Debug)]
pub struct Site {
    /// The DNS name.
    pub name: &'static str,
    /// The last part of its addresses.
    pub number: u8,
}

/// A site over HTTP, which redirects to HTTPS.
pub const ALIYUN: Site = Site {
    name: "aliyun.com",
    number: 10,
};
/// A site that a private ServiceEntry registers.
pub const HTTPBIN_COM: Site = Site {
    name: "httpbin.com",
    number: 11,
};
/// The site whose answers show the request.
pub const HTTPBIN_ORG: Site = Site {
    name: "httpbin.org",
    number: 12,
};
/// A site over HTTPS.
pub const GOOGLE: Site = Site {
    name: "www.google.com",
    number: 13,
};
/// A site over HTTP and HTTPS.
pub const CNN: Site = Site {
    name: "edition.cnn.com",
    number: 14,
};
/// A site that no fixture registers.
pub const ELSEWHERE: Site = Site {
    name: "elsewhere.example",
    number: 15,
};
/// The DNS server.
pub const DNS_SERVER: Site = Site {
    name: "dns.example",
    number: 53,
};
/// The pods' default gateway, on the internet's host.
pub const ROUTER: Place = Place {
    name: "router",
    number: 1,
};

/// A Kubernetes Service: its name in DNS and its cluster IPs 10.96.0.N and `fd00:96::N`.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    /// The DNS name.
    pub name: &'static str,
    /// The last part of its addresses.
    pub number: u8,
}

/// The Service of the egress gateway: ports 80 and 443.
pub const EGRESS_SERVICE: Service = Service {
    name: "istio-egressgateway.istio-system.svc.cluster.local",
    number: 41,
};
/// The Service of the ingress gateway: ports 80 and 443.
pub const INGRESS_SERVICE: Service = Service {
    name: "istio-ingressgateway.istio-system.svc.cluster.local",
    number: 42,
};
/// The Service of productpage: port 9080.
pub const PRODUCTPAGE_SERVICE: Service = Service {
    name: "productpage.default.svc.cluster.local",
    number: 43,
};

/// Where `aliyun.com` and the like live on the internet, or a pod on the pods' network.
pub trait Located {
    /// The IPv4 address.
    fn v4(&self) -> IpAddr;
    /// The IPv6 address.
    fn v6(&self) -> IpAddr;

    /// The address of `family`.
    fn address(&self, family: Family) -> IpAddr {
        match family {
            Family::V4 => self.v4(),
            Family::V6 => self.v6(),
        }
    }
}

impl Located for Place {
    fn v4(&self) -> IpAddr {
        v4([10, 34, 0, self.number])
    }

    fn v6(&self) -> IpAddr {
        v6(0xfd00, 0x34, self.number)
    }
}

impl Located for Site {
    fn v4(&self) -> IpAddr {
        v4([198, 51, 100, self.number])
    }

    fn v6(&self) -> IpAddr {
        v6(0x2001, 0xdb8, self.number)
    }
}

impl Located for Service {
    fn v4(&self) -> IpAddr {
        v4([10, 96, 0, self.number])
    }

    fn v6(&self) -> IpAddr {
        v6(0xfd00, 0x96, self.number)
    }
}

/// Which addresses the DNS server knows for the sites. Pods have both families always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// A records only.
    V4,
    /// AAAA records only.
    V6,
}

fn v4(parts: [u8; 4]) -> IpAddr {
    Ipv4Addr::from(parts).into()
}

fn v6(first: u16, second: u16, number: u8) -> IpAddr {
    Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, read_as_hex(number)).into()
}

/// The number whose hexadecimal digits are the decimal digits of `number`, so that both addresses end alike.
fn read_as_hex(number: u8) -> u16 {
    let number = u16::from(number);
    (number / 100) * 0x100 + (number / 10 % 10) * 0x10 + number % 10
}
