//! What of the candidates goes, once their observations are known. Pure, and the same for every engine.

use std::collections::{HashMap, HashSet};

use super::turns::{KeptTurn, cut, records_gone};
use super::{Expire, Observation};

/// A candidate as it is stored.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Candidate {
    pub(in crate::store) id: i64,
    pub(in crate::store) observation: Option<Observation>,
    /// Another version stands.
    pub(in crate::store) is_replaced: bool,
}

/// What goes.
#[derive(Debug)]
pub(in crate::store) struct Choice {
    pub(in crate::store) records: Vec<i64>,
    /// Of these records, those of which another version stands.
    pub(in crate::store) replaced: i64,
    /// Observations, each with the time of the last of its turns that go.
    pub(in crate::store) turns: Vec<(Observation, i64)>,
    /// Before this time no read is whole any more.
    pub(in crate::store) horizon_ms: i64,
}

impl Choice {
    /// `turns` are those of the candidates' observations, in their order.
    pub(in crate::store) fn of(
        expire: &Expire,
        candidates: &[Candidate],
        turns: &HashMap<Observation, Vec<KeptTurn>>,
    ) -> Self {
        let mut choice = Self { records: Vec::new(), replaced: 0, turns: Vec::new(), horizon_ms: expire.horizon_ms };
        let mut by_observation: HashMap<Observation, Vec<i64>> = HashMap::new();
        for candidate in candidates {
            match candidate.observation {
                Some(observation) => by_observation.entry(observation).or_default().push(candidate.id),
                None => choice.records.push(candidate.id),
            }
        }
        for (observation, ids) in by_observation {
            choice.take(observation, &ids, turns.get(&observation).map_or(&[], Vec::as_slice), expire.leave);
        }
        let replaced: HashSet<i64> =
            candidates.iter().filter(|candidate| candidate.is_replaced).map(|candidate| candidate.id).collect();
        choice.replaced = choice.records.iter().filter(|id| replaced.contains(id)).count() as i64;
        choice
    }

    fn take(&mut self, observation: Observation, ids: &[i64], turns: &[KeptTurn], leave: usize) {
        let gone = cut(turns, &ids.iter().copied().collect(), leave);
        if let Some(last) = turns[..gone].last() {
            self.turns.push((observation, last.seen_ms));
        }
        if let (true, Some(first)) = (gone > 0, turns.get(gone)) {
            self.horizon_ms = self.horizon_ms.max(first.seen_ms);
        }
        self.records.extend(records_gone(turns, gone, ids));
    }

    pub(in crate::store) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.turns.is_empty()
    }
}

/// The observations of candidates, each once.
pub(in crate::store) fn observations(candidates: &[Candidate]) -> Vec<Observation> {
    let all: HashSet<Observation> = candidates.iter().filter_map(|candidate| candidate.observation).collect();
    all.into_iter().collect()
}
