//! Kinds of sources that the contract calls by one name: what a person calls a NAS is of kind `synology` or `qnap`.

use schemas::Event;

use crate::source_status::ENTITY_TYPE as SOURCE;

/// Kinds of sources that are a NAS.
pub(crate) const NAS: &[&str] = &["synology", "qnap"];
/// Kinds of sources that are a Docker Engine.
pub(crate) const DOCKER: &[&str] = &["docker"];
/// Kinds of sources that are a Proxmox VE cluster.
pub(crate) const PROXMOX: &[&str] = &["proxmox"];
/// Kinds of sources that are a Pi-hole.
pub(crate) const PIHOLE: &[&str] = &["pihole"];
/// Kinds of sources that are a Home Assistant.
pub(crate) const HOME_ASSISTANT: &[&str] = &["home_assistant"];

/// What a kind of source is called where one name is enough: its family, or the kind itself.
pub(crate) fn family_of(kind: &str) -> &str {
    if NAS.contains(&kind) { "nas" } else { kind }
}

/// Name under which a WebSocket tells an event: by the family of its source where it has many types of entities, else by the
/// type of its entity. How a source does is the same for all.
pub(crate) fn update_name(event: &Event) -> String {
    let entity_type = event.entity.entity_type.as_str();
    let kind = event.kind.as_str();
    let is_of = |family: &[&str]| entity_type != SOURCE && family.contains(&kind);
    let subject = if is_of(NAS) {
        "nas"
    } else if is_of(PROXMOX) {
        "proxmox"
    } else if is_of(PIHOLE) {
        "pihole"
    } else if is_of(HOME_ASSISTANT) {
        "home-assistant"
    } else {
        entity_type
    };
    format!("{subject}-update")
}
