//! The past of the home, as the events that Homelog would have of it had it been there.
//!
//! What happened is told by the same world as what the services answer now; each file here says what one kind of source makes
//! of that. A sequence begins on a full hour and is told in the order of time, so that whoever tells a past again tells the
//! same events under the same numbers.

mod docker;
mod home_assistant;
mod http_json;
mod nut;
mod pihole;
mod prometheus;
mod proxmox;
mod qnap;
mod status;
mod synology;
mod told;

use std::collections::BTreeMap;

use schemas::{
    api::{PushEntity, PushEvent},
    name::{Epoch, SourceKind, SourceName},
    time::Timestamp,
};

use crate::world::World;
use docker::Docker;
use home_assistant::HomeAssistant;
use http_json::HttpJson;
use nut::Nut;
use pihole::Pihole;
use prometheus::Prometheus;
use proxmox::Proxmox;
use qnap::Qnap;
use status::Status;
use synology::Synology;
use told::Told;

const SECOND: i64 = 1000;
const HOUR: i64 = 3600 * SECOND;
/// How often sources are read by day.
const STEP: i64 = 60 * SECOND;
/// How often between 03:00 and 03:45.
const NIGHT_STEP: i64 = 30 * SECOND;
/// How often slow facts are read.
const SLOW: i64 = 300 * SECOND;

/// Which past.
#[derive(Clone, Debug)]
pub struct Past {
    /// The same seed is the same home.
    pub seed: u64,
    /// How far east of UTC the home is, in seconds.
    pub offset_seconds: i32,
    /// Its beginning; it is told from the full hour before.
    pub from: Timestamp,
    /// Its end.
    pub until: Timestamp,
    /// Who would have collected it.
    pub agent: String,
}

/// A piece of time that is told at once: its end, and what came after its beginning.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: Timestamp,
    to: Timestamp,
    /// Whether slow facts are read too.
    slow: bool,
}

impl Span {
    /// Whether something happened in it.
    fn has(&self, at: Timestamp) -> bool {
        self.from < at && at <= self.to
    }
}

/// What a kind of source tells of the home.
trait Source: Send {
    /// What is new in a span.
    ///
    /// # Errors
    /// A name that no event may carry.
    fn tell(&mut self, world: &World, span: Span, told: &mut Told) -> anyhow::Result<()>;

    /// Whether it answers.
    fn answers(&self, _world: &World, _at: Timestamp) -> bool {
        true
    }
}

/// A source with its name.
struct Named {
    source: SourceName,
    kind: SourceKind,
    status: Status,
    teller: Box<dyn Source>,
    seq: u64,
}

fn sources(world: &World, past: &Past) -> anyhow::Result<Vec<Named>> {
    let all: Vec<(&str, &str, i64, Box<dyn Source>)> = vec![
        ("nas1", "synology", 15, Box::new(Synology::dsm7(world))),
        ("nas2", "synology", 15, Box::new(Synology::dsm6(world))),
        ("nas3", "qnap", 30, Box::new(Qnap::new(world))),
        ("pve", "proxmox", 15, Box::new(Proxmox::new())),
        ("dns1", "pihole", 30, Box::new(Pihole::v5())),
        ("dns2", "pihole", 30, Box::new(Pihole::v6())),
        ("home", "home_assistant", 30, Box::new(HomeAssistant::new())),
        ("docker1", "docker", 5, Box::new(Docker::new(world))),
        ("shop", "prometheus", 30, Box::new(Prometheus)),
        ("shop-status", "http_json", 30, Box::new(HttpJson)),
        ("ups", "nut", 10, Box::new(Nut::default())),
    ];
    all.into_iter()
        .map(|(name, kind, interval, teller)| {
            Ok(Named {
                source: SourceName::new(name)?,
                kind: SourceKind::new(kind)?,
                status: Status::new(name, kind, &past.agent, interval)?,
                teller,
                seq: 0,
            })
        })
        .collect()
}

impl Past {
    /// Tells it in the order of time, as far as `wants` wants to know of a kind of source. The numbers of a sequence have no
    /// holes.
    ///
    /// # Errors
    /// What `take` fails with, or an event that no log would take.
    pub fn tell(
        &self,
        wants: impl Fn(&str) -> bool,
        mut take: impl FnMut(PushEvent) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let world = World::new(self.seed, self.offset_seconds);
        let begin = self.from.as_millis().div_euclid(HOUR) * HOUR;
        let epoch = Epoch::new(format!(
            "past-{:x}-{:x}-{:x}",
            self.seed,
            self.offset_seconds,
            begin / HOUR
        ))?;
        let mut sources = sources(&world, self)?;
        sources.retain(|named| wants(named.kind.as_str()));

        let mut before = begin - STEP;
        let mut now = begin;
        while now <= self.until.as_millis() {
            let span = Span {
                from: Timestamp::from_millis(before),
                to: Timestamp::from_millis(now),
                slow: now % SLOW == 0,
            };
            for named in &mut sources {
                for event in named.tell(&world, span, &epoch)? {
                    take(event)?;
                }
            }
            before = now;
            now += step(&world, span.to);
        }
        Ok(())
    }
}

/// How long nobody looks after an instant.
fn step(world: &World, at: Timestamp) -> i64 {
    let second = world.local(at) - world.midnight(at);
    // to the next full minute where the night has ended
    if (3.0 * 3600.0..3.75 * 3600.0).contains(&second) {
        NIGHT_STEP
    } else {
        STEP
    }
}

impl Named {
    fn tell(&mut self, world: &World, span: Span, epoch: &Epoch) -> anyhow::Result<Vec<PushEvent>> {
        let mut told = Told::at(span.to);
        let answers = self.teller.answers(world, span.to);
        self.status.tell(answers, span, &mut told);
        self.teller.tell(world, span, &mut told)?;
        let observed = told.into_observations();
        self.status.observed(observed.len());
        Ok(observed
            .into_iter()
            .map(|one| {
                self.seq += 1;
                PushEvent {
                    source: self.source.clone(),
                    kind: Some(self.kind.clone()),
                    event_type: Some(one.event_type),
                    time: Some(one.time),
                    entity: PushEntity {
                        entity_type: one.entity.entity_type,
                        id: one.entity.id,
                        labels: one.entity.labels,
                    },
                    fields: one.fields,
                    epoch: Some(epoch.clone()),
                    seq: Some(self.seq),
                }
            })
            .collect())
    }
}

/// What was seen last of states, so that what moved is told.
#[derive(Default)]
struct Seen(BTreeMap<String, String>);

impl Seen {
    /// What a state was before, if it is another now.
    fn moved(&mut self, of: &str, state: &str) -> Option<String> {
        let before = self.0.insert(of.to_owned(), state.to_owned())?;
        (before != state).then_some(before)
    }
}

#[cfg(test)]
mod tests {
    use schemas::{EventType, FieldValue};

    use super::*;

    fn told(from: &str, until: &str) -> Vec<PushEvent> {
        let at = |text| Timestamp::parse(text, Timestamp::from_millis(0)).unwrap();
        let past = Past {
            seed: 1,
            offset_seconds: 0,
            from: at(from),
            until: at(until),
            agent: "here".to_owned(),
        };
        let mut events = Vec::new();
        past.tell(
            |_| true,
            |event| {
                events.push(event);
                Ok(())
            },
        )
        .unwrap();
        events
    }

    #[test]
    fn a_past_that_is_told_again_is_the_same_and_a_later_one_goes_on() {
        let first = told("2026-05-06T02:10:00Z", "2026-05-06T04:00:00Z");
        let again = told("2026-05-06T02:40:00Z", "2026-05-06T04:10:00Z");
        assert!(again.len() > first.len());
        let text = |events: &[PushEvent]| serde_json::to_string(events).unwrap();
        assert_eq!(text(&first), text(&again[..first.len()]));
    }

    #[test]
    fn sequences_have_no_holes() {
        let mut next = BTreeMap::new();
        for event in told("2026-05-06T02:00:00Z", "2026-05-06T04:00:00Z") {
            let expected = next.entry(event.source.clone()).or_insert(0_u64);
            *expected += 1;
            assert_eq!(event.seq, Some(*expected), "{}", event.source);
        }
        assert_eq!(next.len(), 11);
    }

    #[test]
    fn the_night_is_told() {
        let events = told("2026-05-06T02:00:00Z", "2026-05-06T05:00:00Z");
        let text = |event: &PushEvent, field: &str| match event.fields.get(field) {
            Some(FieldValue::Text(text)) => text.to_string(),
            _ => String::new(),
        };
        let time = |event: &PushEvent| {
            let day = 86_400_000;
            let second = event.time.unwrap().as_millis() % day / 1000;
            format!("{:02}:{:02}", second / 3600, second / 60 % 60)
        };
        let changes: Vec<_> = events
            .iter()
            .filter(|e| e.event_type != Some(EventType::Sample))
            .collect();
        let found = |source: &str, id: &str, field: &str, value: &str| -> Vec<String> {
            changes
                .iter()
                .filter(|e| e.source.as_str() == source && e.entity.id.as_str() == id)
                .filter(|e| text(e, field) == value)
                .map(|e| time(e))
                .collect()
        };
        assert_eq!(found("pve", "101/vzdump", "state", "running").len(), 1);
        assert_eq!(found("pve", "101/vzdump", "state", "ok").len(), 1);
        let hungry = "photos/machine-learning/1";
        assert_eq!(found("docker1", hungry, "action", "oom"), ["03:19"]);
        assert_eq!(found("docker1", hungry, "action", "die"), ["03:20"]);
        assert_eq!(found("docker1", hungry, "action", "start"), ["03:20"]);
        assert_eq!(found("nas1", "volume_2", "status", "attention").len(), 1);
        assert_eq!(found("nas1", "volume_2", "status", "normal"), ["03:40"]);
        let home: Vec<_> = changes
            .iter()
            .filter(|e| e.source.as_str() == "home" && e.event_type == Some(EventType::Source))
            .map(|e| (time(e), text(e, "state")))
            .collect();
        assert!(
            home.contains(&("03:22".to_owned(), "down".to_owned())),
            "{home:?}"
        );
        assert!(
            home.contains(&("03:38".to_owned(), "up".to_owned())),
            "{home:?}"
        );
        let power = "sensor.house_power";
        assert_eq!(found("home", power, "availability", "unavailable").len(), 1);
        let exit = changes
            .iter()
            .find(|e| e.entity.id.as_str() == hungry && text(e, "action") == "die")
            .and_then(|e| e.fields.get("exit_code"));
        assert_eq!(exit, Some(&FieldValue::I64(137)));
    }
}
