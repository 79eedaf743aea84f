//! What an operator says about fetching.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::ledger::Ledger;

/// How a drone fetches.
#[derive(Debug, Clone)]
pub struct FetchSettings {
    /// Private, loopback and other special networks that sources may be in; all such are refused otherwise.
    pub allow_private: Vec<Network>,
    /// Sent with every request, behind what the profile says.
    pub user_agent: String,
    /// Sends requests for a host to another address, as a proxy setting does: `(host, base URL)`. The path of the
    /// request is appended to the base's path. A host is written as in a URL, with the port where it has one.
    pub rewrite: Vec<(String, String)>,
    /// Tries of one request, the first included.
    pub max_attempts: u32,
    /// The first pause before a retry is random up to this; it doubles from try to try.
    pub retry_base: Duration,
    /// The longest pause before a retry, and the longest `Retry-After` that a run waits for.
    pub max_pause: Duration,
    /// A run ends after this time as partial, whatever its profile says.
    pub max_run: Duration,
    /// Connections at the same time, all hosts together.
    pub max_connections: usize,
    /// How often sources were asked; one for all runs.
    pub ledger: Arc<Ledger>,
}

impl Default for FetchSettings {
    fn default() -> Self {
        Self {
            allow_private: Vec::new(),
            user_agent: concat!("chartly/", env!("CARGO_PKG_VERSION")).to_owned(),
            rewrite: Vec::new(),
            max_attempts: 5,
            retry_base: Duration::from_millis(500),
            max_pause: Duration::from_secs(60),
            max_run: Duration::from_secs(3600),
            max_connections: 16,
            ledger: Arc::default(),
        }
    }
}

impl FetchSettings {
    /// With what an operator writes: networks, and `host=URL` to send requests elsewhere.
    pub fn reaching(mut self, allow_private: &[String], rewrite: &[String]) -> Result<Self, String> {
        for text in allow_private {
            self.allow_private
                .push(Network::parse(text).map_err(|error| format!("--allow-private (drone.allow_private): {error}"))?);
        }
        for text in rewrite {
            let rule = text.split_once('=').filter(|(host, base)| !host.is_empty() && base.starts_with("http"));
            let (host, base) = rule.ok_or_else(|| {
                format!(
                    "--rewrite (drone.rewrite): {text:?}; expected host=URL, such as api.example.org=http://127.0.0.1:8799/example"
                )
            })?;
            self.rewrite.push((host.to_owned(), base.to_owned()));
        }
        Ok(self)
    }
}

/// A range of addresses: `10.0.0.0/8`, `fd00::/8`, `127.0.0.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a network; expected an address or a range such as 10.0.0.0/8 or fd00::/8")]
pub struct NetworkError(String);

impl Network {
    pub fn parse(text: &str) -> Result<Self, NetworkError> {
        let fail = || NetworkError(text.chars().take(80).collect());
        let (address, bits) = match text.trim().split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| fail())?)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| fail())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(width);
        if bits > width {
            return Err(fail());
        }
        Ok(Self { address, bits })
    }

    /// Whether the address is in the range. IPv4-mapped IPv6 addresses count as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                same_bits(own.to_bits().into(), other.to_bits().into(), 32, self.bits)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => same_bits(own.to_bits(), other.to_bits(), 128, self.bits),
            _ => false,
        }
    }
}

fn same_bits(left: u128, right: u128, width: u32, bits: u8) -> bool {
    let shift = width - u32::from(bits);
    left.checked_shr(shift).unwrap_or(0) == right.checked_shr(shift).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
            ("0.0.0.0/0", "8.8.8.8", "::1"),
            ("fd00::/8", "fd12::1", "fe80::1"),
            ("192.168.1.0/24", "::ffff:192.168.1.7", "192.168.2.7"),
        ] {
            let network = Network::parse(network).unwrap();
            assert!(network.contains(inside.parse().unwrap()), "{inside}");
            assert!(!network.contains(outside.parse().unwrap()), "{outside}");
        }
        for bad in ["", "10.0.0.0/33", "10/8", "host", "::/129"] {
            assert!(Network::parse(bad).is_err(), "{bad}");
        }
    }
}
