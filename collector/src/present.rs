//! What integrations say of what is there: an absent value is no field.

use schemas::{
    Entity, Fields,
    name::{EntityId, EntityType},
};

/// An entity, if the service's name for it can be an id.
pub(crate) fn entity(entity_type: &'static str, id: &str) -> Option<Entity> {
    Some(Entity::new(
        EntityType::new(entity_type).ok()?,
        EntityId::new(id).ok()?,
    ))
}

/// Sets what is there.
pub(crate) fn set_whole(fields: &mut Fields, field: &'static str, value: Option<u64>) {
    if let Some(value) = value {
        fields.set(field, value);
    }
}

/// Sets a number that is there, with four digits.
pub(crate) fn set_number(fields: &mut Fields, field: &'static str, value: Option<f64>) {
    if let Some(value) = value {
        fields.set_rounded(field, value, 4);
    }
}

/// Sets a word that is there.
pub(crate) fn set_text(fields: &mut Fields, field: &'static str, value: Option<&str>) {
    if let Some(value) = value {
        fields.set_text(field, value);
    }
}

/// Sets what is true or not, where that is known.
pub(crate) fn set_flag(fields: &mut Fields, field: &'static str, value: Option<bool>) {
    if let Some(value) = value {
        fields.set(field, value);
    }
}

/// Sets the share that is used, where both are there.
#[expect(
    clippy::cast_precision_loss,
    reason = "a ratio has four digits, a float sixteen"
)]
pub(crate) fn set_ratio(
    fields: &mut Fields,
    field: &'static str,
    used: Option<u64>,
    of: Option<u64>,
) {
    if let (Some(used), Some(of)) = (used, of.filter(|of| *of > 0)) {
        fields.set_rounded(field, used as f64 / of as f64, 4);
    }
}
