use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use rand::{rngs::StdRng, seq::SliceRandom};

use crate::{
    lab::Lab,
    strike::{Kind, Struck},
};

/// How often each kind of fault has to strike under load.
const STRIKES: usize = 3;
/// How often a strike that hit nothing is tried again.
const TRIES: usize = 5;

/// Which fault comes next: rounds of all kinds, each in another order, until every kind struck often enough and enough events
/// were sent.
pub(crate) struct Plan {
    kinds: Vec<Kind>,
    waiting: Vec<Kind>,
    counted: BTreeMap<Kind, usize>,
    missed: BTreeMap<Kind, usize>,
}

impl Plan {
    pub(crate) fn new(lab: &Lab, random: &mut StdRng) -> Self {
        let mut kinds = Kind::everywhere(lab.agents.len(), lab.workers.len());
        kinds.sort_unstable();
        let mut waiting = kinds.repeat(STRIKES);
        waiting.shuffle(random);
        Self {
            kinds,
            waiting,
            counted: BTreeMap::new(),
            missed: BTreeMap::new(),
        }
    }

    pub(crate) fn next(&mut self, lab: &Lab, random: &mut StdRng) -> Result<Option<Kind>> {
        if self.waiting.is_empty() {
            for kind in &self.kinds {
                let counted = self.counted.get(kind).copied().unwrap_or(0);
                let missed = self.missed.get(kind).copied().unwrap_or(0);
                ensure!(
                    counted >= STRIKES || missed < TRIES,
                    "{kind:?} hit nothing in {missed} of {} strikes",
                    counted + missed
                );
                self.waiting
                    .extend(std::iter::repeat_n(*kind, STRIKES.saturating_sub(counted)));
            }
            if self.waiting.is_empty() {
                if lab.acknowledged()? >= lab.setting.events {
                    return Ok(None);
                }
                self.waiting.clone_from(&self.kinds);
            }
            self.waiting.shuffle(random);
        }
        Ok(self.waiting.pop())
    }

    pub(crate) fn done(&mut self, kind: Kind, struck: Struck) {
        let list = match struck {
            Struck::Hit => &mut self.counted,
            Struck::Missed => &mut self.missed,
        };
        *list.entry(kind).or_default() += 1;
    }

    pub(crate) const fn counted(&self) -> &BTreeMap<Kind, usize> {
        &self.counted
    }
}
