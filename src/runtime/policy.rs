//! When a crashed actor comes back, and when it does not.
//!
//! Pure: the time is passed in, nothing is slept, so that every history can be tested. Knows no actor and no clock.

use std::{sync::Arc, time::Duration};

/// What happens when an actor or a task is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnGiveUp {
    /// The node cannot do its work without it: escalate, which ends the process in order.
    Escalate,
    /// Only this one is lost; it stays visible in the vitals and the node goes on.
    Contain,
}

/// The limits one actor lives under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Pause before the restart that follows the first crash; doubles with every further crash in the window.
    pub min_backoff: Duration,
    /// The longest pause.
    pub max_backoff: Duration,
    /// As many crashes within `window` are survived; one more gives the actor up.
    pub max_crashes: usize,
    /// How far back crashes count.
    pub window: Duration,
    /// Permits: messages that may be queued or in work at once. One more is answered `Overloaded`.
    pub mailbox: usize,
    /// How long `ask` waits for its answer.
    pub deadline: Duration,
    /// What giving up means.
    pub on_give_up: OnGiveUp,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            min_backoff: Duration::from_millis(50),
            max_backoff: Duration::from_secs(10),
            max_crashes: 5,
            window: Duration::from_secs(60),
            mailbox: 256,
            deadline: Duration::from_secs(10),
            on_give_up: OnGiveUp::Escalate,
        }
    }
}

impl Policy {
    /// The pause before the restart that follows the `nth` crash in the window (counted from 1).
    #[must_use]
    pub fn backoff(&self, nth: usize) -> Duration {
        let doublings = u32::try_from(nth.saturating_sub(1)).unwrap_or(u32::MAX);
        let factor = 2_u32.checked_pow(doublings).unwrap_or(u32::MAX);
        self.min_backoff.saturating_mul(factor).min(self.max_backoff)
    }
}

/// What to do about a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Rebuild the actor after this pause.
    RestartAfter(Duration),
    /// More crashes in the window than the policy survives.
    GiveUp {
        /// Crashes within the window, this one included.
        crashes: usize,
    },
}

/// The crashes of one actor that still count. Holds at most `max_crashes + 1` stamps.
#[derive(Debug)]
pub struct CrashLog {
    policy: Arc<Policy>,
    recent: Vec<Duration>,
}

impl CrashLog {
    /// An empty log under this policy, which may be shared; allocates nothing more before the first crash.
    #[must_use]
    pub fn new(policy: impl Into<Arc<Policy>>) -> Self {
        Self { policy: policy.into(), recent: Vec::new() }
    }

    /// Writes a crash down and gives the verdict. `now` is the time since any fixed instant and must not run backwards.
    pub fn record(&mut self, now: Duration) -> Verdict {
        let window = self.policy.window;
        self.recent.retain(|stamp| now.saturating_sub(*stamp) <= window);
        self.recent.push(now);
        let crashes = self.recent.len();
        if crashes > self.policy.max_crashes {
            self.recent.clear();
            return Verdict::GiveUp { crashes };
        }
        Verdict::RestartAfter(self.policy.backoff(crashes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn policies() -> impl Strategy<Value = Policy> {
        (1_u64..200, 1_u64..5_000, 0_usize..8, 1_u64..10_000).prop_map(|(min, max, max_crashes, window)| Policy {
            min_backoff: Duration::from_millis(min),
            max_backoff: Duration::from_millis(max.max(min)),
            max_crashes,
            window: Duration::from_millis(window),
            ..Policy::default()
        })
    }

    /// The reference: count the crashes of the window anew for every crash, from the whole history.
    fn expected(policy: &Policy, history: &[Duration]) -> Verdict {
        let now = *history.last().expect("a crash");
        let crashes = history.iter().filter(|stamp| now - **stamp <= policy.window).count();
        if crashes > policy.max_crashes {
            return Verdict::GiveUp { crashes };
        }
        let mut pause = policy.min_backoff;
        for _ in 1..crashes {
            pause = (pause * 2).min(policy.max_backoff);
        }
        Verdict::RestartAfter(pause)
    }

    proptest! {
        #[test]
        fn verdicts_follow_the_reference(policy in policies(), gaps in prop::collection::vec(0_u64..4_000, 1..40)) {
            let mut log = CrashLog::new(policy);
            let mut history = Vec::new();
            let mut now = Duration::ZERO;
            for gap in gaps {
                now += Duration::from_millis(gap);
                history.push(now);
                let verdict = log.record(now);
                prop_assert_eq!(verdict, expected(&policy, &history));
                if matches!(verdict, Verdict::GiveUp { .. }) {
                    break;
                }
                prop_assert!(log.recent.len() <= policy.max_crashes);
            }
        }

        #[test]
        fn backoff_grows_and_stays_within_its_bounds(policy in policies(), nth in 1_usize..200) {
            let pause = policy.backoff(nth);
            prop_assert!(pause >= policy.min_backoff && pause <= policy.max_backoff);
            prop_assert!(policy.backoff(nth + 1) >= pause);
        }
    }

    #[test]
    fn crashes_outside_the_window_are_forgotten() {
        let policy = Policy { max_crashes: 1, window: Duration::from_secs(1), ..Policy::default() };
        let mut log = CrashLog::new(policy);
        for second in 0..10 {
            let verdict = log.record(Duration::from_secs(second * 2));
            assert_eq!(verdict, Verdict::RestartAfter(policy.min_backoff));
        }
        assert_eq!(log.record(Duration::from_millis(18_500)), Verdict::GiveUp { crashes: 2 });
    }
}
