//! Who observed a point and what was known about its entity.

use std::sync::Arc;

use schemas::{
    FieldName, Labels,
    name::{AgentName, SourceKind},
};

use super::codec::{Bytes, Corrupt, Reader};

/// Longest list of labels that is read back; more than an event may have.
const MAX_LABELS: u64 = 4096;

/// The parts of a point that seldom change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Origin {
    /// What its source is.
    pub(super) kind: SourceKind,
    /// The agent that observed it.
    pub(super) agent: Option<AgentName>,
    /// Slow facts about the entity.
    pub(super) labels: Arc<Labels>,
}

impl Origin {
    /// Whether a point has the same; cheap when the labels are shared.
    pub(super) fn is(
        &self,
        kind: &SourceKind,
        agent: Option<&AgentName>,
        labels: &Arc<Labels>,
    ) -> bool {
        self.kind == *kind
            && self.agent.as_ref() == agent
            && (Arc::ptr_eq(&self.labels, labels) || self.labels == *labels)
    }

    /// Writes it down.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.put_text(self.kind.as_str());
        out.put_text(self.agent.as_ref().map_or("", AgentName::as_str));
        out.put_varint(self.labels.len() as u64);
        for (name, value) in self.labels.iter() {
            out.put_text(name.as_str());
            out.put_text(value);
        }
    }

    /// Reads what was written down.
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        let kind = SourceKind::new(reader.text()?).map_err(|_| Corrupt("the kind of a source"))?;
        let agent = match reader.text()? {
            "" => None,
            agent => Some(AgentName::new(agent).map_err(|_| Corrupt("the name of an agent"))?),
        };
        let count = reader.varint()?;
        if count > MAX_LABELS {
            return Err(Corrupt("the number of labels"));
        }
        let mut labels = Labels::new();
        for _ in 0..count {
            let name =
                FieldName::new(reader.text()?).map_err(|_| Corrupt("the name of a label"))?;
            labels.insert(name, Arc::from(reader.text()?));
        }
        Ok(Self {
            kind,
            agent,
            labels: Arc::new(labels),
        })
    }
}
