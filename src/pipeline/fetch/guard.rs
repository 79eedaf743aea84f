//! Keeps sources from reaching into the operator's networks: every address is looked at before it is dialled, the
//! ones that a URL spells out too. The addresses that were looked at are the ones that are dialled.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_tls::connect::{ConnectError, ConnectInfo, Connection, Host, Resolve};
use actix_web::dev::Service;
use futures_util::future::LocalBoxFuture;
use thiserror::Error;

use super::settings::Network;

/// A name must be resolved within this time.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Why an address is not dialled.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{host} is at {address}, which is not a public address; the operator can allow it (allow_private)")]
pub struct Forbidden {
    host: String,
    address: IpAddr,
}

#[derive(Debug, Error)]
#[error("{host}: {reason}")]
struct Unresolved {
    host: String,
    reason: String,
}

/// Which addresses may be dialled.
#[derive(Debug, Clone)]
pub struct Rules(Rc<Vec<Network>>);

impl Rules {
    pub fn new(allowed: &[Network]) -> Self {
        Self(Rc::new(allowed.to_vec()))
    }

    fn check(&self, host: &str, address: IpAddr) -> Result<(), Forbidden> {
        if !is_special(address) || self.0.iter().any(|network| network.contains(address)) {
            return Ok(());
        }
        Err(Forbidden { host: host.to_owned(), address })
    }
}

/// Whether an address is anything but a public one: loopback, private, link-local, multicast, reserved, and the
/// IPv6 forms that lead to such.
pub fn is_special(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_special_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(inner) => is_special_v4(inner),
            None => is_special_v6(address),
        },
    }
}

fn is_special_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    match a {
        0 | 10 | 127 | 224..=255 => true,
        100 => (64..128).contains(&b),
        169 => b == 254,
        172 => (16..32).contains(&b),
        192 => b == 168 || (b == 0 && (c == 0 || c == 2)) || (b == 88 && c == 99),
        198 => b == 18 || b == 19 || (b == 51 && c == 100),
        203 => b == 0 && c == 113,
        _ => false,
    }
}

/// The IPv4 address inside an IPv4-mapped, IPv4-compatible, NAT64 or 6to4 address.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let parts = address.segments();
    let low = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match parts {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, rest] if address != Ipv6Addr::LOCALHOST => Some(low(high, rest)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, rest] => Some(low(high, rest)),
        [0x2002, high, rest, ..] => Some(low(high, rest)),
        _ => None,
    }
}

fn is_special_v6(address: Ipv6Addr) -> bool {
    let first = address.segments()[0];
    let second = address.segments()[1];
    // Only 2000::/3 is given out; of it documentation, benchmarking, Teredo and ORCHID lead nowhere good.
    first & 0xe000 != 0x2000
        || (first == 0x2001 && (second == 0xdb8 || second < 0x200))
        || (first == 0x3fff && second < 0x1000)
}

/// Resolves names and refuses those with any address that may not be dialled.
pub struct GuardedResolver(pub Rules);

impl Resolve for GuardedResolver {
    fn lookup<'a>(&'a self, host: &'a str, port: u16) -> LocalBoxFuture<'a, Result<Vec<SocketAddr>, Box<dyn Error>>> {
        Box::pin(async move {
            let failed = |reason: String| Unresolved { host: host.to_owned(), reason };
            let found = tokio::time::timeout(RESOLVE_TIMEOUT, tokio::net::lookup_host((host, port))).await;
            let found = found.map_err(|_| failed("the name was not resolved in time".into()))?;
            let addresses: Vec<SocketAddr> = found.map_err(|error| failed(error.to_string()))?.collect();
            for address in &addresses {
                self.0.check(host, address.ip())?;
            }
            Ok(addresses)
        })
    }
}

/// Stands before the connector: the resolver is not asked about literal addresses.
#[derive(Clone)]
pub struct Guard<S> {
    pub inner: S,
    pub rules: Rules,
}

impl<R, IO, S> Service<ConnectInfo<R>> for Guard<S>
where
    R: Host,
    S: Service<ConnectInfo<R>, Response = Connection<R, IO>, Error = ConnectError>,
    S::Future: 'static,
    IO: 'static,
    R: 'static,
{
    type Response = Connection<R, IO>;
    type Error = ConnectError;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&self, request: ConnectInfo<R>) -> Self::Future {
        let host = request.hostname().trim_matches(['[', ']']);
        let literal = host.parse::<IpAddr>().ok();
        let known = request.addrs().map(|address| address.ip());
        let checked = literal.into_iter().chain(known).try_for_each(|address| self.rules.check(host, address));
        match checked {
            Ok(()) => Box::pin(self.inner.call(request)),
            Err(forbidden) => Box::pin(async { Err(ConnectError::Resolver(Box::new(forbidden))) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_are_known_in_all_their_spellings() {
        for special in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
            "3fff::1",
            "100::1",
        ] {
            assert!(is_special(special.parse().unwrap()), "{special}");
        }
        for public in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"]
        {
            assert!(!is_special(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn the_operator_can_allow_a_network() {
        let rules = Rules::new(&[Network::parse("10.0.0.0/8").unwrap()]);
        assert!(rules.check("h", "10.1.1.1".parse().unwrap()).is_ok());
        let refused = rules.check("h", "127.0.0.1".parse().unwrap()).unwrap_err().to_string();
        assert_eq!(
            refused,
            "h is at 127.0.0.1, which is not a public address; the operator can allow it (allow_private)"
        );
    }
}
