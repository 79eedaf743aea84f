//! How often each source was asked, so that its rate and its quota are kept to. One for all runs of a drone; what
//! quotas have used up is written to a file, so that a restart gives none back. Time comes in as an argument.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::profiles::plan::{Politeness, Rate};

/// Sources that are remembered. At the bound those whose time is over are forgotten; then new ones are not held to theirs.
const MAX_NAMES: usize = 10_000;
const MAX_FILE_BYTES: u64 = 16 << 20;

/// Whether a request may be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It may, and it counts.
    Go,
    /// The rate allows it at this time, Unix milliseconds.
    Wait(i64),
    /// The quota is used up until then.
    Over(i64),
}

#[derive(Debug, Default)]
pub struct Ledger {
    state: Mutex<State>,
    file: Option<PathBuf>,
}

#[derive(Debug, Default)]
struct State {
    recent: HashMap<String, VecDeque<i64>>,
    used: BTreeMap<String, Used>,
}

/// What is used of a quota in one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Used {
    begin_ms: i64,
    end_ms: i64,
    requests: u64,
}

impl Ledger {
    /// Goes on from what the file says. One that cannot be read is begun anew, aloud.
    pub fn open(file: &Path) -> Self {
        let state = State { used: read(file), ..State::default() };
        Self { state: Mutex::new(state), file: Some(file.to_owned()) }
    }

    /// Asks for one request to the source of this name (host and key), and counts it where it may go.
    pub fn turn(&self, name: &str, politeness: &Politeness, now_ms: i64) -> Turn {
        if politeness.rate.is_none() && politeness.quota.is_none() {
            return Turn::Go;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = state.turn(name, politeness, now_ms);
        if let (Turn::Go, Some(_), Some(file)) = (turn, politeness.quota, &self.file)
            && let Err(error) = write(file, &state.used)
        {
            tracing::error!(file = %file.display(), %error, "what is used of the quotas cannot be written down");
        }
        turn
    }
}

impl State {
    fn turn(&mut self, name: &str, politeness: &Politeness, now_ms: i64) -> Turn {
        let quota = politeness.quota.map(|quota| (format!("{name} {}ms", quota.per_ms), quota));
        let window = quota.as_ref().map(|(own, quota)| self.window(own, *quota, now_ms));
        if let (Some((_, quota)), Some(used)) = (&quota, &window)
            && used.requests >= quota.requests
        {
            return Turn::Over(used.end_ms);
        }
        if let Some(rate) = politeness.rate {
            let recent = self.recent.entry(format!("{name} {}ms", rate.per_ms)).or_default();
            if let Some(at_ms) = wait_until(recent, rate, now_ms) {
                return Turn::Wait(at_ms);
            }
            recent.push_back(now_ms);
        }
        if let (Some((own, _)), Some(used)) = (quota, window) {
            self.used.insert(own, Used { requests: used.requests + 1, ..used });
        }
        self.bound(now_ms);
        Turn::Go
    }

    /// Windows begin at whole multiples of their length since 1970, so that a day is one of UTC.
    fn window(&self, name: &str, quota: Rate, now_ms: i64) -> Used {
        let known = self.used.get(name).copied();
        // A clock that was set back does not give the quota anew.
        if let Some(used) = known.filter(|used| now_ms < used.end_ms && used.end_ms - now_ms <= 2 * quota.per_ms) {
            return used;
        }
        let begin_ms = now_ms.div_euclid(quota.per_ms).saturating_mul(quota.per_ms);
        Used { begin_ms, end_ms: begin_ms.saturating_add(quota.per_ms), requests: 0 }
    }

    fn bound(&mut self, now_ms: i64) {
        if self.used.len() > MAX_NAMES {
            self.used.retain(|_, used| now_ms < used.end_ms);
        }
        if self.recent.len() > MAX_NAMES {
            tracing::warn!(sources = self.recent.len(), "too many rates are kept to; all begin anew");
            self.recent.clear();
        }
    }
}

/// When the oldest of the last requests is old enough; forgets those that are.
fn wait_until(recent: &mut VecDeque<i64>, rate: Rate, now_ms: i64) -> Option<i64> {
    while recent.front().is_some_and(|at_ms| at_ms.saturating_add(rate.per_ms) <= now_ms) {
        recent.pop_front();
    }
    if recent.back().is_some_and(|at_ms| *at_ms > now_ms.saturating_add(rate.per_ms)) {
        // The clock was set back.
        recent.clear();
    }
    let requests = usize::try_from(rate.requests).unwrap_or(usize::MAX);
    let first = recent.len().checked_sub(requests)?;
    recent.get(first).map(|at_ms| at_ms.saturating_add(rate.per_ms))
}

fn read(file: &Path) -> BTreeMap<String, Used> {
    let known = match fs::metadata(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return BTreeMap::new(),
        Ok(found) if found.len() > MAX_FILE_BYTES => Err(format!("it has {} bytes", found.len())),
        _ => fs::read(file)
            .map_err(|error| error.to_string())
            .and_then(|text| serde_json::from_slice(&text).map_err(|error| error.to_string())),
    };
    known.unwrap_or_else(|error| {
        tracing::error!(file = %file.display(), error, "what was used of the quotas cannot be read; they begin anew");
        BTreeMap::new()
    })
}

/// Beside it first: the file is whole at any moment.
fn write(file: &Path, used: &BTreeMap<String, Used>) -> std::io::Result<()> {
    let fresh = file.with_extension("new");
    fs::write(&fresh, serde_json::to_vec(used)?)?;
    fs::rename(&fresh, file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY_MS: i64 = 86_400_000;

    fn politeness(rate: Option<(u64, i64)>, quota: Option<(u64, i64)>) -> Politeness {
        let of = |(requests, per_ms)| Rate { requests, per_ms };
        Politeness { rate: rate.map(of), quota: quota.map(of) }
    }

    #[test]
    fn a_quota_survives_a_restart_and_begins_anew_with_its_window() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("quota.json");
        let two_a_day = politeness(None, Some((2, DAY_MS)));
        let turns = |at_ms: i64| Ledger::open(&file).turn("h K", &two_a_day, at_ms);
        assert_eq!(
            [turns(DAY_MS + 5), turns(DAY_MS + 6), turns(DAY_MS + 7)],
            [Turn::Go, Turn::Go, Turn::Over(2 * DAY_MS)]
        );
        assert_eq!(Ledger::open(&file).turn("h L", &two_a_day, DAY_MS + 7), Turn::Go, "another key");
        assert_eq!(turns(2 * DAY_MS), Turn::Go);
        // A clock that is set back gives nothing back.
        assert_eq!([turns(2 * DAY_MS - 1), turns(2 * DAY_MS - 1)], [Turn::Go, Turn::Over(3 * DAY_MS)]);
        fs::write(&file, "{").unwrap();
        assert_eq!(turns(2 * DAY_MS + 1), Turn::Go, "a broken file is begun anew");
    }

    proptest! {
        /// In no span of the rate's length are more requests made, and none waits without need.
        #[test]
        fn a_rate_is_kept_to(requests in 1_u64..6, per_ms in 1_i64..50, steps in prop::collection::vec(0_i64..30, 1..80)) {
            let (ledger, rate) = (Ledger::default(), politeness(Some((requests, per_ms)), None));
            let (mut now_ms, mut made) = (0, Vec::new());
            for step in steps {
                now_ms += step;
                let within = made.iter().filter(|at_ms| **at_ms > now_ms - per_ms).count() as u64;
                match ledger.turn("h", &rate, now_ms) {
                    Turn::Go => {
                        prop_assert!(within < requests);
                        made.push(now_ms);
                    }
                    Turn::Wait(at_ms) => {
                        prop_assert!(within >= requests && at_ms > now_ms && at_ms <= now_ms + per_ms);
                        let then = made.iter().filter(|made| **made > at_ms - per_ms).count() as u64;
                        prop_assert!(then < requests, "it waits long enough");
                    }
                    Turn::Over(_) => prop_assert!(false, "there is no quota"),
                }
            }
        }
    }
}
