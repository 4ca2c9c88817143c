//! What sources of kind `home_assistant` tell. Where people are is not told, as by default.

use schemas::{Entity, Fields, time::Timestamp};

use super::{
    Seen, Source, Span,
    told::{Told, entity},
};
use crate::world::{
    World,
    night::Presence,
    rooms::{self, State},
};

/// A Home Assistant.
pub(super) struct HomeAssistant {
    entities: Vec<Known>,
    seen: Seen,
}

/// An entity, and its state when it was last seen.
struct Known {
    entity: rooms::Entity,
    state: Option<State>,
}

impl HomeAssistant {
    pub(super) fn new() -> Self {
        let entities = rooms::entities()
            .into_iter()
            .filter(|entity| !entity.id.starts_with("person."))
            .map(|entity| Known {
                entity,
                state: None,
            })
            .collect();
        Self {
            entities,
            seen: Seen::default(),
        }
    }

    fn tell_itself(
        &mut self,
        presence: Presence,
        unavailable: usize,
        told: &mut Told,
        at: Timestamp,
    ) -> anyhow::Result<()> {
        let itself = entity("home_assistant", "home")?
            .with_label("version", "2024.3.3")
            .with_label("name", "Home");
        let state = if presence == Presence::Running {
            "running"
        } else {
            "starting"
        };
        let mut fields = Fields::new();
        fields.set_text("state", state);
        if self.seen.moved("itself", state).is_some() {
            told.change(at, itself.clone(), fields.clone());
        }
        let count = |number: usize| i64::try_from(number).unwrap_or(0);
        fields
            .set("push", true)
            .set("entities_count", count(self.entities.len()))
            .set("entities_unavailable_count", count(unavailable));
        told.sample(itself, fields);
        Ok(())
    }
}

/// The field of a number, and the unit where the field has none.
fn measured(entity: &rooms::Entity, value: f64) -> (&'static str, f64, Option<&'static str>) {
    let grows = entity.state_class == Some("total_increasing");
    let share = |field| (field, tidy(value * 0.01), None);
    match (entity.unit, entity.device_class) {
        (Some("°C"), _) => ("temperature_celsius", value, None),
        (Some("%"), Some("humidity")) => share("humidity_ratio"),
        (Some("%"), Some("battery")) => share("battery_ratio"),
        (Some("%"), _) => share("value_ratio"),
        (Some("W"), _) => ("power_watts", value, None),
        (Some("kWh"), _) if grows => ("energy_watt_hours_total", tidy(value * 1000.0), None),
        (Some("kWh"), _) => ("energy_watt_hours", tidy(value * 1000.0), None),
        (Some("Mbit/s"), _) => ("data_bytes_per_second", tidy(value * 125_000.0), None),
        (unit, _) if grows => ("value_total", value, unit),
        (unit, _) => ("value", value, unit),
    }
}

/// With the twelve digits that a converted number keeps.
fn tidy(value: f64) -> f64 {
    format!("{value:.11e}").parse().unwrap_or(value)
}

/// What a state comes to.
fn reading(of: &rooms::Entity, state: &State) -> anyhow::Result<(Entity, Fields)> {
    let mut entity = entity("home_assistant_entity", of.id)?
        .with_label("name", of.name)
        .with_label("device_class", of.device_class.unwrap_or_default());
    let availability = match state.value.as_str() {
        "unavailable" => "unavailable",
        "unknown" => "unknown",
        _ => "available",
    };
    let mut fields = Fields::new();
    fields.set_text("availability", availability);
    if availability == "available" {
        let number = of.unit.and_then(|_| state.value.parse().ok());
        match number {
            Some(number) => {
                let (field, value, unit) = measured(of, number);
                if let Ok(value) = schemas::FieldValue::float(value) {
                    fields.set(field, value);
                }
                entity = entity.with_label("unit", unit.unwrap_or_default());
            }
            None => {
                fields.set_text("state", &state.value);
            }
        }
    }
    Ok((entity, fields))
}

impl Source for HomeAssistant {
    fn tell(&mut self, world: &World, span: Span, told: &mut Told) -> anyhow::Result<()> {
        let presence = world.night(span.to).home_assistant();
        if presence == Presence::Gone {
            return Ok(());
        }
        let mut unavailable = 0;
        for known in &mut self.entities {
            let state = known.entity.state(world, span.to);
            if state.value == "unavailable" {
                unavailable += 1;
            }
            let moved = known
                .state
                .as_ref()
                .is_some_and(|before| before.value != state.value);
            if moved || known.state.is_none() || span.slow {
                let (entity, fields) = reading(&known.entity, &state)?;
                if moved {
                    told.change(state.changed, entity.clone(), fields.clone());
                }
                if !moved || span.slow {
                    told.sample(entity, fields);
                }
            }
            known.state = Some(state);
        }
        self.tell_itself(presence, unavailable, told, span.to)
    }

    fn answers(&self, world: &World, at: Timestamp) -> bool {
        world.night(at).home_assistant() != Presence::Gone
    }
}
