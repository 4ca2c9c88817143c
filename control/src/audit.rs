use schemas::Timestamp;

use crate::limits;

/// Who did what, when and from where. Never with a secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditEntry {
    /// When.
    pub time: Timestamp,
    /// Who: a user name, or what was given as one.
    pub actor: String,
    /// What: `login`, `user.create`.
    pub action: String,
    /// On whom or what.
    pub target: String,
    /// From which address.
    pub from: String,
    /// Whether it was done or refused.
    pub done: bool,
}

impl AuditEntry {
    /// The entry with every text cut to its bound and without control characters.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        for text in [
            &mut self.actor,
            &mut self.action,
            &mut self.target,
            &mut self.from,
        ] {
            if text.chars().any(char::is_control) || text.chars().nth(limits::AUDIT_TEXT).is_some()
            {
                *text = text
                    .chars()
                    .filter(|c| !c.is_control())
                    .take(limits::AUDIT_TEXT)
                    .collect();
            }
        }
        self
    }
}
