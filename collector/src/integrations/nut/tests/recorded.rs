//! Against variables of real UPS, where they are at hand: each file is served as the variables of one UPS, `a`. Half of them
//! are lists of types, of which no value can be read.

use std::path::Path;

use super::*;
use crate::testing::recordings::{self, Became};

/// What the integration makes of one recording.
pub(crate) async fn read(dir: &Path, name: &str) -> Became {
    let fake = Fake::start().await;
    fake.ups("a", &std::fs::read_to_string(dir.join(name)).unwrap());
    let mut batch = recordings::batch();
    match open(&fake).poll(&mut batch).await {
        Ok(()) => Became::Told(checked(batch)),
        Err(e) => e.into(),
    }
}
