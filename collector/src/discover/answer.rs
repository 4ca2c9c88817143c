use serde_json::Value;

/// The beginning of what a server answers.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) server: String,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// Whether it is a good answer in which a text stands.
    pub(super) fn says(&self, text: &str) -> bool {
        self.status == 200 && String::from_utf8_lossy(&self.body).contains(text)
    }

    /// What stands at a place of the JSON that it is, whatever its status; null where it is none.
    pub(super) fn at(&self, pointer: &str) -> Value {
        serde_json::from_slice::<Value>(&self.body)
            .ok()
            .and_then(|value| value.pointer(pointer).cloned())
            .unwrap_or_default()
    }
}
