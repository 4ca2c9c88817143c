//! Tasks of the cluster, `/cluster/tasks`: backups, starts, migrations. Each tells when it starts and when it ends.

use std::collections::{HashMap, HashSet};

use schemas::{Entity, Fields, Timestamp, name::EntityId};
use serde_json::Value;

use super::wire::{Object, entity, rows, set_whole, text, whole};
use crate::Batch;

/// An older end is no news.
const NEWS_MS: i64 = 24 * 3600 * 1000;
/// How far back the last backup is told when the source starts.
const LAST_BACKUP_MS: i64 = 48 * 3600 * 1000;
/// Most tasks that are remembered; the service lists the newest of each node.
const MOST_SEEN: usize = 10_000;

/// One task.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Task {
    id: String,
    pub(super) entity: Entity,
    is_backup: bool,
    started: Timestamp,
    ended: Option<Timestamp>,
    pub(super) state: &'static str,
    message: Option<String>,
    user: Option<String>,
}

impl Task {
    /// Reads a row; one without id, type or start is none.
    pub(super) fn of(row: &Object) -> Option<Self> {
        let id = text(row, "upid")?;
        let kind = text(row, "type")?;
        let node = text(row, "node")?;
        let guest = whole(row, "id").map(|guest| guest.to_string());
        let started = seconds(row, "starttime")?;
        let ended = seconds(row, "endtime");
        let status = text(row, "status");
        let (state, message) = match (ended, status) {
            (None, _) => ("running", None),
            (Some(_), None) => ("unknown", None),
            (Some(_), Some(status)) if status == "OK" => ("ok", None),
            (Some(_), Some(status)) if status.starts_with("WARNINGS") => ("warnings", Some(status)),
            (Some(_), Some(status)) => ("failed", Some(status)),
        };
        // the same work on the same guest is one entity, wherever and however often it runs
        let of = guest.as_deref().unwrap_or(&node);
        Some(Self {
            entity: entity("proxmox_task", &format!("{of}/{kind}"))?
                .with_label("task_type", &kind)
                .with_label("guest", guest.as_deref().unwrap_or_default())
                .with_label("node", &node),
            id,
            is_backup: kind == "vzdump",
            started,
            ended,
            state,
            message,
            user: text(row, "user"),
        })
    }

    /// When it came into its state.
    pub(super) fn time(&self) -> Timestamp {
        self.ended.unwrap_or(self.started)
    }

    pub(super) fn fields(&self) -> Fields {
        let mut fields = Fields::new();
        fields.set_text("state", self.state);
        if let Some(message) = &self.message {
            fields.set_text("message", message);
        }
        if let Some(user) = &self.user {
            fields.set_text("user", user);
        }
        let took = self.ended.map(|ended| ended.since(self.started) / 1000);
        let took = took.and_then(|seconds| u64::try_from(seconds).ok());
        set_whole(&mut fields, "duration_seconds", took);
        fields
    }
}

fn seconds(row: &Object, key: &str) -> Option<Timestamp> {
    let seconds = i64::try_from(whole(row, key)?).ok()?;
    let time = Timestamp::from_millis(seconds.checked_mul(1000)?);
    time.is_plausible().then_some(time)
}

/// What was told.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    /// By id: whether its end was told, and since when it is in that state.
    seen: HashMap<String, (bool, Timestamp)>,
    is_read: bool,
}

impl Tasks {
    /// Tells what is new in a list. The first list tells what runs, and the last backup of each guest.
    pub(super) fn tell(&mut self, data: &Value, batch: &mut Batch) {
        let now = batch.time();
        let mut tasks: Vec<_> = rows(data).filter_map(Task::of).collect();
        tasks.sort_by_key(Task::time);
        let first = !std::mem::replace(&mut self.is_read, true);
        let mut last_backups: HashMap<&EntityId, &Task> = HashMap::new();
        let mut listed = HashSet::new();
        for task in &tasks {
            listed.insert(task.id.as_str());
            let has_ended = task.ended.is_some();
            let before = self.seen.insert(task.id.clone(), (has_ended, task.time()));
            if before.is_some_and(|(told_end, _)| told_end || !has_ended) {
                continue;
            }
            let age = now.since(task.time());
            if !has_ended || (!first && age < NEWS_MS) {
                batch.change(task.time(), task.entity.clone(), task.fields());
            } else if first && task.is_backup && age < LAST_BACKUP_MS {
                // sorted by time: the last one stays
                last_backups.insert(&task.entity.id, task);
            }
        }
        for task in last_backups.into_values() {
            batch.change(task.time(), task.entity.clone(), task.fields());
        }
        // a node that is away for a while must not make its tasks new again
        let full = self.seen.len() > MOST_SEEN;
        self.seen.retain(|id, (_, time)| {
            listed.contains(id.as_str()) || (!full && now.since(*time) < NEWS_MS)
        });
    }
}

#[cfg(test)]
mod tests {
    use schemas::FieldValue;
    use serde_json::json;

    use super::*;
    use crate::testing;

    fn seconds_ago(seconds: i64) -> i64 {
        Timestamp::now().as_millis() / 1000 - seconds
    }

    fn told(tasks: &mut Tasks, data: &Value) -> Vec<(String, Fields)> {
        let mut batch = testing::batch();
        tasks.tell(data, &mut batch);
        let (events, _) = batch.into_parts();
        events
            .into_iter()
            .map(|e| (e.entity.id.to_string(), e.fields))
            .collect()
    }

    #[test]
    fn a_task_tells_its_start_and_its_end_once() {
        let mut tasks = Tasks::default();
        let started = seconds_ago(100);
        let running = json!([{"upid": "U1", "node": "a", "type": "vzdump", "id": "100", "user": "root@pam", "starttime": started}]);
        let first = told(&mut tasks, &running);
        assert_eq!(first.len(), 1);
        assert_eq!(first[0].0, "100/vzdump");
        assert_eq!(
            first[0].1.get("state"),
            Some(&FieldValue::Text("running".into()))
        );
        assert!(told(&mut tasks, &running).is_empty());
        let ended = json!([{"upid": "U1", "node": "a", "type": "vzdump", "id": 100, "starttime": started,
            "endtime": started + 60, "status": "job errors"}]);
        let second = told(&mut tasks, &ended);
        assert_eq!(second.len(), 1);
        let fields = &second[0].1;
        assert_eq!(
            fields.get("state"),
            Some(&FieldValue::Text("failed".into()))
        );
        assert_eq!(
            fields.get("message"),
            Some(&FieldValue::Text("job errors".into()))
        );
        assert_eq!(fields.get("duration_seconds"), Some(&FieldValue::I64(60)));
        assert!(told(&mut tasks, &ended).is_empty());
        // its node goes away and comes back
        assert!(told(&mut tasks, &json!([])).is_empty());
        assert!(told(&mut tasks, &ended).is_empty());
    }

    #[test]
    fn a_start_tells_the_last_backup_and_nothing_else_of_the_past() {
        let ended = |upid: &str, kind: &str, ago: i64| json!({"upid": upid, "node": "a", "type": kind, "id": "100", "starttime": seconds_ago(ago), "endtime": seconds_ago(ago - 5), "status": "OK"});
        let list = json!([
            ended("U1", "vzdump", 7200),
            ended("U2", "vzdump", 3600),
            ended("U3", "qmstart", 60),
            ended("U4", "vzdump", 9_000_000)
        ]);
        let mut tasks = Tasks::default();
        let mut batch = testing::batch();
        tasks.tell(&list, &mut batch);
        let (events, _) = batch.into_parts();
        assert_eq!(events.len(), 1);
        assert_eq!(
            events[0].time.as_millis() / 1000,
            list[1]["endtime"].as_i64().unwrap()
        );
        // later, what is new is told, of any type
        let later = json!([ended("U5", "qmstop", 30), ended("U3", "qmstart", 60)]);
        assert_eq!(told(&mut tasks, &later).len(), 1);
    }

    #[test]
    fn odd_rows_are_left_out() {
        for odd in [
            json!({}),
            json!({"upid": "U", "node": "a", "type": "x"}),
            json!({"upid": "U", "node": "a", "type": "x", "starttime": -5}),
            json!({"upid": "U", "node": "a", "type": "x", "starttime": u64::MAX}),
            json!({"upid": "U", "type": "x", "starttime": 1_700_000_000}),
        ] {
            assert_eq!(Task::of(odd.as_object().unwrap()), None, "{odd}");
        }
        let of_node = json!({"upid": "U", "node": "a", "type": "srvreload", "id": "networking", "starttime": 1_700_000_000,
            "endtime": 1_700_000_001, "status": "WARNINGS: 1"});
        let task = Task::of(of_node.as_object().unwrap()).unwrap();
        assert_eq!(
            (task.entity.id.as_str(), task.state),
            ("a/srvreload", "warnings")
        );
    }
}
