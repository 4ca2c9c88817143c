//! The control store.

use std::{path::Path, sync::Arc};

use anyhow::Context;
use control::{ControlStore, postgres};

use super::{Patience, waiting};
use crate::config::{Control, ControlKind};

/// File of the embedded control store in the data directory.
pub(crate) const FILE: &str = "control.db";

/// Opens the control store that the configuration names.
///
/// # Errors
/// What is wrong and what to do.
pub(crate) async fn open(
    config: &Control,
    data: Option<&Path>,
    patience: Patience,
) -> anyhow::Result<Arc<dyn ControlStore>> {
    match config.kind {
        ControlKind::Embedded => {
            let data = data.context("there is no data directory")?;
            Ok(Arc::new(control::Embedded::open(data.join(FILE)).await?))
        }
        ControlKind::Postgres => {
            let mut options = postgres::Options::new(config.url.get().clone());
            options.ca = config.ca.as_ref().map(|ca| ca.path().to_owned());
            let opened = waiting::open(
                "the control store",
                patience,
                postgres::OpenError::is_transient,
                || postgres::Postgres::open(options.clone()),
            );
            Ok(Arc::new(opened.await?))
        }
    }
}
