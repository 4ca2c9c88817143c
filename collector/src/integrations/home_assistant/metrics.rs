//! What is told of Home Assistant itself and of its entities. An entity has one number, under the name of what its unit
//! measures, or a state in words.

use schemas::{
    MetricDef,
    catalog::{MetricKind, Unit, ValueType},
};

const ENTITY: &str = "home_assistant_entity";

const fn gauge(field: &'static str, unit: Unit, help: &'static str) -> MetricDef {
    MetricDef::gauge(ENTITY, field, unit, help)
}

/// A counter that has fractions.
const fn total(field: &'static str, unit: Unit, help: &'static str) -> MetricDef {
    MetricDef {
        entity_type: ENTITY,
        field,
        unit,
        kind: MetricKind::Counter,
        value: ValueType::Float,
        help,
    }
}

pub(super) static METRICS: &[MetricDef] = &[
    MetricDef::state(
        "home_assistant",
        "state",
        "running, starting or stopping, as it says of itself",
    ),
    MetricDef::flag(
        "home_assistant",
        "push",
        "whether it tells changes by itself over its WebSocket; if not, they are seen at polls",
    ),
    MetricDef::integer(
        "home_assistant",
        "entities_count",
        Unit::Count,
        "entities that are told",
    ),
    MetricDef::integer(
        "home_assistant",
        "entities_unavailable_count",
        Unit::Count,
        "entities that are told and are unavailable now",
    ),
    MetricDef::state(
        ENTITY,
        "availability",
        "available, unknown (it has no value yet), unavailable (its device or integration is gone) or removed",
    ),
    MetricDef::state(ENTITY, "state", "its state, where that is no number"),
    gauge(
        "value",
        Unit::None,
        "its number, in the unit of the label `unit`, where the unit is none of the others",
    ),
    total(
        "value_total",
        Unit::None,
        "as value, of a number that only grows",
    ),
    gauge("value_ratio", Unit::Ratio, "a percentage"),
    gauge("temperature_celsius", Unit::Celsius, "a temperature"),
    gauge("humidity_ratio", Unit::Ratio, "humidity of the air"),
    gauge("moisture_ratio", Unit::Ratio, "moisture of what it is in"),
    gauge("battery_ratio", Unit::Ratio, "charge of its battery"),
    gauge("power_watts", Unit::Watts, "electric or thermal power"),
    gauge(
        "power_factor_ratio",
        Unit::Ratio,
        "real power as a part of apparent power",
    ),
    gauge(
        "energy_watt_hours",
        Unit::WattHours,
        "energy, of a meter that can also fall",
    ),
    total(
        "energy_watt_hours_total",
        Unit::WattHours,
        "energy, of a meter that only grows",
    ),
    gauge("voltage_volts", Unit::Volts, "voltage"),
    gauge("current_amperes", Unit::Amperes, "electric current"),
    gauge("frequency_hertz", Unit::Hertz, "frequency"),
    MetricDef::integer(ENTITY, "data_bytes", Unit::Bytes, "an amount of data"),
    MetricDef::counter(
        ENTITY,
        "data_bytes_total",
        Unit::Bytes,
        "an amount of data that only grows",
    ),
    gauge(
        "data_bytes_per_second",
        Unit::None,
        "a rate of data, in bytes per second",
    ),
    gauge("duration_seconds", Unit::Seconds, "a duration"),
    total(
        "duration_seconds_total",
        Unit::Seconds,
        "a duration that only grows",
    ),
    gauge("speed_rpm", Unit::Rpm, "speed of rotation"),
    gauge(
        "target_temperature_celsius",
        Unit::Celsius,
        "the temperature that a thermostat is set to",
    ),
    gauge(
        "target_humidity_ratio",
        Unit::Ratio,
        "the humidity that a device is set to",
    ),
    gauge(
        "position_ratio",
        Unit::Ratio,
        "how far a cover is open; 1 is open",
    ),
    gauge("brightness_ratio", Unit::Ratio, "brightness of a light"),
    gauge("fan_speed_ratio", Unit::Ratio, "speed of a fan"),
];
