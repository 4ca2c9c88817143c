use std::{collections::BTreeMap, fmt, sync::Arc};

use schemas::api::{HealthAnswer, ServiceHealth};

use crate::health::{put, worst};

/// Looks at a part of this process that no store can be asked about: a worker, a shipper. Looking must not wait.
#[derive(Clone)]
pub struct Probe {
    part: &'static str,
    look: Arc<dyn Fn() -> ServiceHealth + Send + Sync>,
}

impl Probe {
    /// A probe whose result counts for `part` of `/health`, such as `database` or `event_log`.
    pub fn new(
        part: &'static str,
        look: impl Fn() -> ServiceHealth + Send + Sync + 'static,
    ) -> Self {
        Self {
            part,
            look: Arc::new(look),
        }
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Probe").field(&self.part).finish()
    }
}

/// Looks at all parts; of several results for one part the worst counts.
pub(crate) fn look(probes: &[Probe], services: &mut BTreeMap<String, ServiceHealth>) {
    for probe in probes {
        put(services, probe.part, (probe.look)());
    }
}

/// How a process does that is nothing but these parts.
pub(crate) fn answer(probes: &[Probe]) -> HealthAnswer {
    let mut services = BTreeMap::new();
    look(probes, &mut services);
    HealthAnswer {
        status: worst(&services),
        services,
    }
}
