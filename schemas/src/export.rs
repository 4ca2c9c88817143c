//! Writes the shapes down for other languages: TypeScript for the dashboard, JSON Schema for everybody.
//!
//! `make gen` runs it; a test fails when what is committed is stale.

use std::{collections::BTreeMap, fs, io, path::Path};

use serde_json::{Value, json};
use ts_rs::{Config, TS};
use utoipa::ToSchema;

use crate::api;

/// Writes one TypeScript file a type into a directory.
///
/// # Errors
/// A file cannot be written.
pub fn typescript(directory: &Path) -> io::Result<()> {
    let config = Config::new().with_out_dir(directory);
    macro_rules! export {
        ($($ty:ident),* $(,)?) => {
            $(api::$ty::export_all(&config).map_err(io::Error::other)?;)*
        };
    }
    export!(
        AgentSequences,
        CatalogAnswer,
        ClaimSources,
        ClaimedSources,
        ClientMessage,
        CreateToken,
        CreateUser,
        CreatedToken,
        EntitiesAnswer,
        ErrorAnswer,
        EventsAnswer,
        HealthAnswer,
        LoginRequest,
        LoginResponse,
        Preferences,
        PushAnswer,
        PushEvent,
        RangeAnswer,
        ServerMessage,
        SetupRequest,
        SetupState,
        SourcesAnswer,
        Ticket,
        TokenList,
        UpdateUser,
        UserList,
    );
    Ok(())
}

/// Writes `event.schema.json` (an event as the API gives it) and `push-event.schema.json` (one as it is pushed).
///
/// # Errors
/// A file cannot be written.
pub fn json_schema(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    write_schema::<api::ApiEvent>(
        &directory.join("event.schema.json"),
        "An event as Homelog's API gives it",
    )?;
    write_schema::<api::PushEvent>(
        &directory.join("push-event.schema.json"),
        "An event as it is pushed to POST /api/v1/events",
    )
}

fn write_schema<T: ToSchema>(path: &Path, title: &str) -> io::Result<()> {
    let mut parts = Vec::new();
    T::schemas(&mut parts);
    parts.push((T::name().into_owned(), T::schema()));
    let parts: BTreeMap<String, Value> = parts
        .into_iter()
        .map(|(name, schema)| Ok((name, serde_json::to_value(schema)?)))
        .collect::<Result<_, serde_json::Error>>()?;
    let document = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "$ref": format!("#/$defs/{}", T::name()),
        "$defs": parts,
    });
    let text =
        serde_json::to_string_pretty(&document)?.replace("#/components/schemas/", "#/$defs/");
    fs::write(path, text + "\n")
}
