//! Problems of Gateways.

use super::check;

#[test]
fn gateways_are_checked() {
    let table = [
        ("{servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}", ""),
        ("{servers: [{port: {number: 443, name: s, protocol: TLS}, hosts: [x/a.b, ./c.d, '*/*'], tls: {}}]}", ""),
        ("{}", "spec.servers: at least one is required"),
        ("{servers: [{hosts: []}]}", "spec.servers[0].hosts: at least one is required\nspec.servers[0].port: required"),
        ("{servers: [{port: {number: 80, protocol: UDP}, hosts: [a.test]}]}", "spec.servers[0].port.name: required\nspec.servers[0].port.protocol: \"UDP\": expected one of HTTP, HTTP2, GRPC, GRPC-Web, HTTPS, TLS, TCP, MONGO, REDIS, MYSQL"),
        ("{servers: [{port: {number: 80, name: a, protocol: HTTP}, hosts: [a.test]}, {port: {number: 81, name: a, protocol: HTTP}, hosts: [b.test]}]}", "spec.servers: \"a\": two servers have a port of this name; port names are unique within a Gateway"),
        ("{servers: [{port: {number: 443, name: a, protocol: HTTPS}, hosts: [a.test]}]}", "spec.servers[0].tls: required for protocol HTTPS"),
        ("{servers: [{port: {number: 80, name: a, protocol: HTTP}, hosts: [a.test], tls: {httpsRedirect: true}}]}", ""),
        ("{servers: [{port: {number: 80, name: a, protocol: HTTP}, hosts: [a.test], tls: {mode: SIMPLE}}]}", "spec.servers[0].tls: on a plaintext HTTP port only httpsRedirect; write protocol HTTPS for TLS"),
        ("{servers: [{port: {number: 80, name: a, protocol: TCP}, hosts: [a.test], tls: {}}]}", "spec.servers[0].tls: not for protocol TCP; write TLS or HTTPS"),
        ("{servers: [{port: {number: 443, name: a, protocol: HTTPS}, hosts: [a.test], tls: {mode: SIMPLE}}]}", "spec.servers[0].tls.serverCertificate: required\nspec.servers[0].tls.privateKey: required"),
        ("{servers: [{port: {number: 443, name: a, protocol: HTTPS}, hosts: [a.test], tls: {mode: MUTUAL, serverCertificate: /c, privateKey: /k}}]}", "spec.servers[0].tls.caCertificates: required in order to verify clients"),
        ("{servers: [{port: {number: 443, name: a, protocol: HTTPS}, hosts: [a.test], tls: {mode: SIMPLE, serverCertificate: /c, privateKey: /k, credentialName: x}}]}", "spec.servers[0].tls: only one of credentialName, credentialNames, tlsCertificates and serverCertificate
            spec.servers[0].tls.credentialName: \"x\": no Secret of this name with a certificate and its key was loaded; every handshake is refused until it is there"),
        ("{servers: [{port: {number: 443, name: a, protocol: HTTPS}, hosts: ['a/b/c'], tls: {mode: HARD}}]}", "spec.servers[0].hosts[0]: \"a/b/c\": not a host name: expected labels of letters, digits and dashes, joined by dots
            spec.servers[0].tls.mode: \"HARD\": expected one of PASSTHROUGH, SIMPLE, MUTUAL, OPTIONAL_MUTUAL, ISTIO_MUTUAL, AUTO_PASSTHROUGH"),
        ("{servers: [{port: {number: 80, name: a, protocol: HTTP}, bind: home, hosts: [a.test]}]}", "spec.servers[0].bind: \"home\": expected an IP address"),
    ];
    check("Gateway", &table);
}
