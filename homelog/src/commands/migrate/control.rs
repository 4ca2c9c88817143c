//! Users, tokens, preferences and the audit trail.

use std::path::Path;

use control::{ControlStore, migrate};

use crate::{
    adapters::{self, Patience},
    commands::user::say,
    config::Config,
    outcome::Failure,
};

/// Copies all of it at once, or only compares.
pub(super) async fn copy(
    data: &Path,
    config: &Config,
    verify_only: bool,
    differences: &mut Vec<String>,
) -> Result<(), Failure> {
    let here = control::Embedded::open(data.join(adapters::control::FILE)).await?;
    let there = adapters::control::open(&config.control, None, Patience::Once).await?;
    if verify_only {
        let (mine, other) = (here.snapshot().await?, there.snapshot().await?);
        if let Some(what) = mine.difference(&other) {
            differences.push(format!("the control stores differ in {what}"));
        }
        return Ok(());
    }
    let copied = migrate::copy(&here, &*there).await?;
    say(&format!(
        "users: {} with {} tokens and {} preferences are in {}{}",
        copied.users,
        copied.tokens,
        copied.preferences,
        config.control_place(),
        if copied.already {
            ", from before"
        } else {
            "; sessions ended, everybody logs in again"
        }
    ))
}
