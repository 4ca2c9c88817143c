//! What is told about the cluster as a whole, and what these credentials may see.

use std::collections::HashSet;

use schemas::Fields;
use serde_json::Value;

use super::wire::{flag, rows, text};

/// What reading everything needs; the role `PVEAuditor` has them.
const NEEDED: [&str; 3] = ["Sys.Audit", "VM.Audit", "Datastore.Audit"];

/// `/cluster/status`.
#[derive(Debug, PartialEq)]
pub(super) struct Status {
    /// The cluster's name; the node's own where there is no cluster.
    pub(super) name: String,
    /// Whether enough nodes see each other; nothing where there is no cluster.
    pub(super) quorate: Option<bool>,
    pub(super) fields: Fields,
}

pub(super) fn status(data: &Value) -> Option<Status> {
    let of = |wanted: &'static str| {
        rows(data).filter(move |row| row.get("type").and_then(Value::as_str) == Some(wanted))
    };
    let cluster = of("cluster").next();
    let name = cluster
        .or_else(|| of("node").next())
        .and_then(|row| text(row, "name"))?;
    let quorate = cluster.and_then(|row| flag(row, "quorate"));
    let online = of("node")
        .filter(|row| flag(row, "online") == Some(true))
        .count();
    let mut fields = Fields::new();
    fields
        .set("nodes_count", count(of("node").count()))
        .set("nodes_online_count", count(online));
    if let Some(quorate) = quorate {
        fields.set("quorate", quorate);
    }
    Some(Status {
        name,
        quorate,
        fields,
    })
}

/// `/cluster/backup-info/not-backed-up`: how many guests no backup job covers.
pub(super) fn not_backed_up(data: &Value) -> Option<Fields> {
    let guests = data.as_array()?.len();
    let mut fields = Fields::new();
    fields.set("guests_without_backup_count", count(guests));
    Some(fields)
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// `/access/permissions`: which needed privileges are there on no path at all.
pub(super) fn missing_rights(data: &Value) -> Vec<&'static str> {
    let held: HashSet<&str> = data
        .as_object()
        .into_iter()
        .flat_map(|paths| paths.values())
        .filter_map(Value::as_object)
        .flat_map(|rights| {
            rights
                .keys()
                .filter(|name| flag(rights, name).is_some())
                .map(String::as_str)
        })
        .collect();
    NEEDED
        .into_iter()
        .filter(|name| !held.contains(name))
        .collect()
}

#[cfg(test)]
mod tests {
    use schemas::FieldValue;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cluster_has_a_quorum_and_a_single_node_has_none() {
        let cluster = status(&json!([
            {"type": "node", "name": "a", "online": 1}, {"type": "node", "name": "b", "online": "0"}, 7,
            {"type": "cluster", "name": "home", "quorate": 0}]))
        .unwrap();
        assert_eq!(
            (cluster.name.as_str(), cluster.quorate),
            ("home", Some(false))
        );
        assert_eq!(
            cluster.fields.get("nodes_online_count"),
            Some(&FieldValue::I64(1))
        );
        assert_eq!(cluster.fields.get("nodes_count"), Some(&FieldValue::I64(2)));
        let single = status(&json!([{"type": "node", "name": "pve", "online": 1}])).unwrap();
        assert_eq!((single.name.as_str(), single.quorate), ("pve", None));
        assert_eq!(single.fields.get("quorate"), None);
        assert_eq!(status(&json!([])), None);
    }

    #[test]
    fn rights_count_wherever_they_are() {
        let all = json!({"/": {"Sys.Audit": 1}, "/vms/100": {"VM.Audit": 0}, "/storage": {"Datastore.Audit": 1}});
        assert!(missing_rights(&all).is_empty());
        assert_eq!(
            missing_rights(&json!({"/": {"VM.Audit": 1}})),
            ["Sys.Audit", "Datastore.Audit"]
        );
        for none in [json!({}), json!(null), json!([]), json!({"/": 1})] {
            assert_eq!(missing_rights(&none), NEEDED, "{none}");
        }
    }
}
