//! A rate for each caller: the key where a good one was shown, else the peer's address. Callers are hashed to a
//! fixed number of places, so that memory is bounded by construction, however many addresses knock.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::domain::digest::Digest;
use crate::protocol::fault::{Code, Fault};

/// Two callers share a place, and with it their rate, with this chance: one in so many.
const PLACES: u64 = 65_536;

/// Counts requests of each caller.
pub struct Limiter {
    limits: DefaultKeyedRateLimiter<u64>,
    seed: RandomState,
    clock: DefaultClock,
    per_second: NonZeroU32,
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter").field("per_second", &self.per_second).field("callers", &self.limits.len()).finish()
    }
}

impl Limiter {
    /// At most `per_second` in the long run, `burst` at once. Zero counts as one.
    pub fn new(per_second: u32, burst: u32) -> Self {
        let per_second = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(per_second).allow_burst(burst);
        Self {
            limits: RateLimiter::dashmap(quota),
            seed: RandomState::new(),
            clock: DefaultClock::default(),
            per_second,
        }
    }

    /// Counts one request, or tells when the next is welcome.
    pub fn admit(&self, key: Option<&Digest>, peer: Option<IpAddr>) -> Result<(), Fault> {
        let caller = match key {
            Some(key) => self.seed.hash_one(key),
            None => self.seed.hash_one(peer.map(network)),
        };
        let Err(early) = self.limits.check_key(&(caller % PLACES)) else { return Ok(()) };
        let wait = early.wait_time_from(self.clock.now());
        let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
        let who = if key.is_some() { "this key" } else { "your address" };
        let detail =
            format!("{who} may send {} requests a second; the next is welcome in {seconds} s", self.per_second);
        Err(Fault::new(Code::TooManyRequests, detail).retry_after(seconds))
    }
}

/// One household or machine has a whole /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => {
            let mut octets = v6.to_canonical();
            if let IpAddr::V6(wide) = octets {
                let [a, b, c, d, ..] = wide.segments();
                octets = IpAddr::from([a, b, c, d, 0, 0, 0, 0]);
            }
            octets
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn the_burst_is_granted_and_then_refused_with_a_time() {
        let limiter = Limiter::new(1, 3);
        let peer = address("192.0.2.1");
        for _ in 0..3 {
            assert_eq!(limiter.admit(None, peer), Ok(()));
        }
        let fault = limiter.admit(None, peer).unwrap_err();
        assert_eq!((fault.code, fault.retry_after_s), (Code::TooManyRequests, Some(1)));
        assert_eq!(limiter.admit(Some(&Digest::of(b"key")), peer), Ok(()), "a key has its own rate");
    }

    #[test]
    fn addresses_of_one_network_share_a_rate() {
        let limiter = Limiter::new(1, 1);
        assert!(limiter.admit(None, address("2001:db8::1")).is_ok());
        assert!(limiter.admit(None, address("2001:db8::2")).is_err());
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), "192.0.2.1".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn many_addresses_take_bounded_memory() {
        let limiter = Limiter::new(1, 1);
        for number in 0..200_000_u32 {
            let _ = limiter.admit(None, Some(IpAddr::from(number.to_be_bytes())));
        }
        assert!(limiter.limits.len() as u64 <= PLACES);
    }
}
