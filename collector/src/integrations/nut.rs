//! Uninterruptible power supplies behind upsd of Network UPS Tools, read over its TCP protocol on port 3493.
//!
//! Only `LIST` is asked, which needs no user: whoever logs in (`LOGIN`) counts as a machine that hangs on the UPS, and a
//! shutdown would wait for it.

mod address;
mod connection;
mod line;
mod metrics;
#[cfg(test)]
pub(super) mod tests;
mod variables;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    time::Duration,
};

use schemas::{Entity, MetricDef, name::EntityId};
use serde::Deserialize;
use tracing::debug;

use crate::{
    Batch, Context, FailureClass, OpenError, PollError,
    integration::{Integration, Typed},
    states::{STATUS, States, Watched},
};
use address::Address;
use connection::{Connection, Failed};
use metrics::METRICS;

pub(super) static INTEGRATION: Typed<Nut> = Typed::new();

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most UPS of one upsd.
const MOST_UPS: usize = 64;
/// Longest name of a UPS.
const LONGEST_NAME: usize = 128;

const COMMUNICATION: Watched = ("communication", "old_communication");

/// Why upsd knows nothing of a UPS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Silence {
    /// It does not answer its driver.
    Stale,
    NoDriver,
}

impl Silence {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Stale => "stale",
            Self::NoDriver => "no driver",
        }
    }
}

/// Options of a source of kind `nut`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    url: String,
    #[serde(default)]
    ups: Vec<String>,
}

/// Reads one upsd.
pub(super) struct Nut {
    address: Address,
    /// The names of those that are read; all, if there are none.
    wanted: BTreeSet<String>,
    patience: Duration,
    /// Kept from poll to poll.
    connection: Option<Connection>,
    /// As they were seen last; what is not reached keeps its labels.
    entities: BTreeMap<String, Entity>,
    states: States,
}

impl Integration for Nut {
    const KIND: &'static str = "nut";
    const HELP: &'static str = "Uninterruptible power supplies behind Network UPS Tools (upsd): mains, battery, load, alarms";
    const DEFAULT_INTERVAL: Duration = Duration::from_secs(10);
    const METRICS: &'static [MetricDef] = METRICS;
    const EXAMPLE: &'static str = r#"# Where upsd listens; the port is 3493 where none is given. It needs no user, but a LISTEN line in upsd.conf for this address.
# url = "nut://nas1"
# Names of the UPS that are read, as ups.conf has them; all by default.
# ups = ["ups"]
"#;
    type Params = Params;

    fn open(params: Params, _: &Context) -> Result<Self, OpenError> {
        Self::with_patience(params, PATIENCE)
    }

    async fn poll(&mut self, batch: &mut Batch) -> Result<(), PollError> {
        let (mut connection, rows) = self.list_ups().await?;
        let (silent, all) = self.read(&mut connection, rows, batch).await?;
        // one that was dropped in the middle of an answer, or failed there, does not come back
        self.connection = Some(connection);
        self.check_silence(&silent, all)
    }
}

impl Nut {
    fn with_patience(params: Params, patience: Duration) -> Result<Self, OpenError> {
        let address = Address::parse(&params.url).map_err(|why| OpenError::at("url", why))?;
        if let Some(wrong) = params.ups.iter().find(|name| !is_name(name)) {
            return Err(OpenError::at(
                "ups",
                format!(
                    "`{}` is no name of a UPS: write it as ups.conf has it",
                    schemas::name::excerpt(wrong)
                ),
            ));
        }
        Ok(Self {
            address,
            wanted: params.ups.into_iter().collect(),
            patience,
            connection: None,
            entities: BTreeMap::new(),
            states: States::default(),
        })
    }

    /// Asks which UPS there are, over the connection of the last poll if it still stands.
    async fn list_ups(&mut self) -> Result<(Connection, Vec<Vec<String>>), PollError> {
        if let Some(mut connection) = self.connection.take() {
            match connection.list("UPS", "UPS").await {
                Ok(rows) => return Ok((connection, rows)),
                Err(Failed::Closed(e)) => {
                    debug!(upsd = %self.address, error = %e, "the connection is made anew");
                }
                Err(other) => return Err(self.explain(other)),
            }
        }
        let mut connection = Connection::open(&self.address, self.patience).await?;
        match connection.list("UPS", "UPS").await {
            Ok(rows) => Ok((connection, rows)),
            Err(failed) => Err(self.explain(failed)),
        }
    }

    async fn read(
        &mut self,
        connection: &mut Connection,
        rows: Vec<Vec<String>>,
        batch: &mut Batch,
    ) -> Result<(Vec<(String, Silence)>, usize), PollError> {
        let listed: BTreeMap<String, String> = rows
            .into_iter()
            .filter_map(|row| {
                let mut words = row.into_iter();
                Some((words.next()?, words.next().unwrap_or_default()))
            })
            .filter(|(ups, _)| is_name(ups))
            .take(MOST_UPS)
            .collect();
        self.check_wanted(&listed)?;
        let wanted: Vec<_> = listed
            .into_iter()
            .filter(|(ups, _)| self.wanted.is_empty() || self.wanted.contains(ups))
            .collect();
        let ids: HashSet<_> = wanted
            .iter()
            .filter_map(|(ups, _)| EntityId::new(ups).ok())
            .collect();
        self.states.tell_gone("ups", &ids.iter().collect(), batch);
        self.entities
            .retain(|ups, _| wanted.iter().any(|(listed, _)| listed == ups));
        let all = wanted.len();
        let mut silent = Vec::new();
        for (ups, description) in wanted {
            let read = connection.list(&format!("VAR {ups}"), "VAR").await;
            let silence = match read {
                Ok(rows) => {
                    let variables = variables::of_rows(rows, &ups);
                    self.tell(&ups, &description, &variables, "ok", batch);
                    continue;
                }
                Err(Failed::Refused(word)) if word == "DATA-STALE" => Silence::Stale,
                Err(Failed::Refused(word)) if word == "DRIVER-NOT-CONNECTED" => Silence::NoDriver,
                // it was taken out of ups.conf just now
                Err(Failed::Refused(word)) if word == "UNKNOWN-UPS" => continue,
                Err(failed) => return Err(self.explain(failed)),
            };
            let none = variables::Variables::new();
            self.tell(&ups, &description, &none, silence.as_str(), batch);
            silent.push((ups, silence));
        }
        Ok((silent, all))
    }

    /// A name that was misspelt would else never be missed.
    fn check_wanted(&self, listed: &BTreeMap<String, String>) -> Result<(), PollError> {
        if let Some(missing) = self.wanted.iter().find(|ups| !listed.contains_key(*ups)) {
            let names: Vec<_> = listed.keys().map(String::as_str).collect();
            return Err(self.failure(
                FailureClass::BadAnswer,
                &format!(
                    "has no UPS `{missing}`, but {}: correct `ups`",
                    if names.is_empty() {
                        "none".to_owned()
                    } else {
                        schemas::name::excerpt(&names.join(", "))
                    }
                ),
            ));
        }
        if listed.is_empty() {
            return Err(self.failure(
                FailureClass::BadAnswer,
                "has no UPS: describe yours in its ups.conf",
            ));
        }
        Ok(())
    }

    fn tell(
        &mut self,
        ups: &str,
        description: &str,
        variables: &variables::Variables,
        communication: &str,
        batch: &mut Batch,
    ) {
        let known = self.entities.get(ups).filter(|_| variables.is_empty());
        let Some(entity) = known
            .cloned()
            .or_else(|| variables::entity(ups, description, variables))
        else {
            return;
        };
        let mut fields = variables::fields(variables);
        fields.set_text("communication", communication);
        let mut seen = vec![(COMMUNICATION, communication)];
        let status = variables::status(variables);
        seen.extend(status.as_deref().map(|status| (STATUS, status)));
        self.states.see(&entity, &seen, batch);
        batch.sample(entity.clone(), fields);
        self.entities.insert(ups.to_owned(), entity);
    }

    /// A source of which nothing can be read is down.
    fn check_silence(&self, silent: &[(String, Silence)], all: usize) -> Result<(), PollError> {
        let Some((ups, silence)) = silent.first().filter(|_| silent.len() == all) else {
            return Ok(());
        };
        let why = match silence {
            Silence::Stale => format!(
                "gets no fresh data of UPS `{ups}` (DATA-STALE): see its cable, then restart its driver"
            ),
            Silence::NoDriver => format!(
                "has no driver for UPS `{ups}` (DRIVER-NOT-CONNECTED): start it with upsdrvctl start"
            ),
        };
        Err(self.failure(FailureClass::Unreachable, &why))
    }

    fn failure(&self, class: FailureClass, what: &str) -> PollError {
        PollError::new(class, format!("upsd at {} {what}", self.address))
    }

    fn explain(&self, failed: Failed) -> PollError {
        let word = match failed {
            Failed::Closed(e) | Failed::Other(e) => return e,
            Failed::Refused(word) => word,
        };
        match word.as_str() {
            "ACCESS-DENIED" => self.failure(
                FailureClass::NoPermission,
                "does not let this machine read (ACCESS-DENIED): allow it in upsd.conf, hosts.allow, or the settings of the NAS",
            ),
            "USERNAME-REQUIRED" | "PASSWORD-REQUIRED" | "INVALID-USERNAME" | "INVALID-PASSWORD" => self.failure(
                FailureClass::NoPermission,
                &format!("wants a user for reading ({word}), which upsd itself never does: allow this machine to read without one"),
            ),
            _ => self.failure(
                FailureClass::BadAnswer,
                &format!("answers with the error {}", schemas::name::excerpt(&word)),
            ),
        }
    }
}

/// Whether it can stand in a command as it is.
fn is_name(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_graphic() && c != '"' && c != '\\')
}
