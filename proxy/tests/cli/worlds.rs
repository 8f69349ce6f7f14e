//! Configurations that the commands are asked about.

/// Services, routes and policies of namespace `shop`.
pub(crate) const EXTERNAL: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: httpbin, namespace: shop}
spec:
  hosts: [httpbin.org]
  ports: [{number: 80, name: http, protocol: HTTP}, {number: 443, name: tls, protocol: TLS}]
  resolution: DNS
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: httpbin, namespace: shop}
spec:
  hosts: [httpbin.org]
  http:
  - name: old
    match: [{uri: {prefix: /old}}]
    redirect: {uri: /new, authority: new.org}
  - name: teapot
    match: [{headers: {x-tea: {exact: 'yes'}}}]
    directResponse: {status: 418}
  - name: split
    match: [{uri: {prefix: /split/}}]
    rewrite: {uri: /, authority: x.org}
    timeout: 1.5s
    retries: {attempts: 3, perTryTimeout: 1s, retryOn: 'gateway-error,409'}
    route: [{destination: {host: httpbin.org}, weight: 80}, {destination: {host: gone.org}, weight: 20}]
  - name: gone
    match: [{uri: {prefix: /gone}}]
    route: [{destination: {host: gone.org, port: {number: 80}}}]
  - name: lost
    match: [{uri: {exact: /}}]
    route: [{destination: {host: httpbin.org}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: httpbin, namespace: shop}
spec:
  host: httpbin.org
  trafficPolicy:
    loadBalancer: {simple: ROUND_ROBIN}
    portLevelSettings:
    - port: {number: 80}
      loadBalancer: {simple: RANDOM}
      tls: {mode: SIMPLE, subjectAltNames: [san.org], caCertificates: /ca.pem}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: empty, namespace: shop}
spec: {hosts: [empty.org], ports: [{number: 80, name: http, protocol: HTTP}], resolution: STATIC}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: db-a, namespace: shop}
spec: {hosts: [db-a.org], ports: [{number: 3306, name: tcp, protocol: TCP}], resolution: DNS}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: db-b, namespace: shop}
spec: {hosts: [db-b.org], ports: [{number: 3306, name: tcp, protocol: TCP}], resolution: DNS}
";

/// An egress gateway with plaintext HTTP, TLS that it ends, and TLS that passes.
pub(crate) const GATEWAY: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: egress, namespace: istio-system}
spec:
  selector: {istio: egressgateway}
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: [a.com]}
  - {port: {number: 443, name: https, protocol: HTTPS}, hosts: [a.com], tls: {mode: SIMPLE, serverCertificate: /c, privateKey: /k}}
  - {port: {number: 443, name: pass, protocol: TLS}, hosts: [b.com], tls: {mode: PASSTHROUGH}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a, namespace: istio-system}
spec: {hosts: [a.com], gateways: [egress], http: [{route: [{destination: {host: a.com, port: {number: 80}}}]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: b, namespace: istio-system}
spec: {hosts: [b.com], gateways: [egress], tls: [{match: [{sniHosts: [b.com]}], route: [{destination: {host: b.com}}]}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ab, namespace: istio-system}
spec:
  hosts: [a.com, b.com]
  ports: [{number: 80, name: http, protocol: HTTP}, {number: 443, name: tls, protocol: TLS}]
  resolution: DNS
";

/// A host with a preflight, a fault and a mirror.
pub(crate) const SHARED: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: a}
spec: {hosts: [a.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a}
spec:
  hosts: [a.com]
  http:
  - name: shared
    match: [{method: {exact: OPTIONS}}]
    corsPolicy: {allowOrigins: [{exact: 'https://page.com'}], allowMethods: [PUT]}
    route: [{destination: {host: a.com}}]
  - name: broken
    fault: {abort: {httpStatus: 418, percentage: {value: 100}}}
    route: [{destination: {host: a.com}}]
    mirrors: [{destination: {host: a.com}, percentage: {value: 12.5}}]
";

/// Egress listeners that applications dial, and endpoints that lead back to them.
pub(crate) const DIALLED: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: none}
spec:
  hosts: [none.org]
  ports: [{number: 8080, name: http, protocol: HTTP}, {number: 9000, name: tcp, protocol: TCP}]
  resolution: NONE
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: fixed}
spec:
  hosts: [fixed.org]
  ports: [{number: 8080, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.1}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: some}
spec:
  hosts: [some.org]
  ports: [{number: 8080, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.1}, {address: 10.0.0.1}]
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: dialled}
spec:
  egress:
  - port: {number: 8080, name: proxy, protocol: HTTP_PROXY}
    captureMode: NONE
    hosts: ['*/*']
  - port: {number: 9000, name: bytes, protocol: TCP}
    bind: 127.0.0.1
    captureMode: NONE
    hosts: ['*/none.org']
";
