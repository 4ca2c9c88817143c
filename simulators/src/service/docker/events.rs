//! What happens, as a stream without an end.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::StreamExt;
use schemas::time::Timestamp;
use serde_json::{Map, Value, json};

use super::{Docker, Inner, failure, filter};
use crate::{
    call::Call,
    number::{real, whole},
    reply::Reply,
    world::containers::{Container, Engine},
};

/// How often health is checked.
const CHECKS_EVERY: i64 = 30_000;
/// How far back it remembers.
const REMEMBERS: i64 = 86_400_000;

/// Seconds with a fraction, as `1795392185.091645910`.
fn instant(text: &str) -> Option<Timestamp> {
    let seconds: f64 = text.parse().ok().filter(|s| (0.0..1e11).contains(s))?;
    Some(Timestamp::from_millis(whole(seconds * 1000.0)))
}

/// What is wanted.
struct Wanted {
    types: Option<Vec<String>>,
    actions: Option<Vec<String>>,
    containers: Option<Vec<String>>,
}

impl Docker {
    pub(super) fn events(&self, call: &Call, now: Timestamp) -> Reply {
        let limit = |name: &str| match call.query_param(name) {
            None => Ok(None),
            Some(text) => instant(text).map(Some).ok_or(name.to_owned()),
        };
        let (since, until) = match (limit("since"), limit("until")) {
            (Ok(since), Ok(until)) => (since, until),
            (Err(name), _) | (_, Err(name)) => {
                return failure(400, format!("failed to parse value of {name} as a time"));
            }
        };
        let wanted = Wanted {
            types: filter(call, "type"),
            actions: filter(call, "event"),
            containers: filter(call, "container"),
        };
        // the beginning is told too
        let from = since
            .unwrap_or(now)
            .max(now.plus_millis(-REMEMBERS))
            .plus_millis(-1);
        let inner = Arc::clone(&self.0);
        let begin = (from, true, Arc::new(wanted));
        let stream = futures::stream::unfold(begin, move |(from, first, wanted)| {
            let inner = Arc::clone(&inner);
            async move {
                let mut first = first;
                loop {
                    if until.is_some_and(|until| from >= until) {
                        return None;
                    }
                    if !first {
                        tokio::time::sleep(Duration::from_millis(500)).await;
                    }
                    first = false;
                    let now = Timestamp::now();
                    let to = until.map_or(now, |until| until.min(now));
                    let lines = inner.lines(from, to, &wanted);
                    if !lines.is_empty() || until.is_some_and(|until| to >= until) {
                        return Some((Ok(Bytes::from(lines)), (to, false, wanted)));
                    }
                    if to > from {
                        return Some((Ok(Bytes::new()), (to, false, wanted)));
                    }
                }
            }
        });
        let stream = stream.filter(|chunk| {
            let said = chunk.as_ref().is_ok_and(|bytes| !bytes.is_empty());
            std::future::ready(said)
        });
        Reply::stream("application/json", stream.boxed())
    }
}

impl Inner {
    /// What happened in a time, one JSON object a line.
    fn lines(&self, from: Timestamp, to: Timestamp, wanted: &Wanted) -> String {
        if wanted
            .types
            .as_ref()
            .is_some_and(|types| !types.iter().any(|t| t == "container"))
        {
            return String::new();
        }
        let mut all: Vec<(Timestamp, String, &Container, Option<i64>)> = Vec::new();
        for event in self.engine.happened(&self.world, from, to) {
            if let Some(container) = self.engine.containers.get(event.container) {
                all.push((
                    event.at,
                    event.action.to_owned(),
                    container,
                    event.exit_code,
                ));
            }
        }
        for container in self.engine.containers.iter().filter(|c| c.checked) {
            let mut tick = from.as_millis() / CHECKS_EVERY + 1;
            while tick * CHECKS_EVERY <= to.as_millis() {
                let at = Timestamp::from_millis(tick * CHECKS_EVERY);
                if Engine::life(&self.world, container, at).running {
                    for (n, action) in [
                        "exec_create: /bin/sh -c check",
                        "exec_start: /bin/sh -c check",
                        "exec_die",
                    ]
                    .into_iter()
                    .enumerate()
                    {
                        let code = (n == 2).then_some(0);
                        all.push((at, action.to_owned(), container, code));
                    }
                }
                tick += 1;
            }
        }
        all.sort_by_key(|(at, ..)| *at);
        let mut text = String::new();
        for (at, action, container, exit_code) in all {
            let matches = |list: &Option<Vec<String>>, one: &str| {
                list.as_ref()
                    .is_none_or(|list| list.iter().any(|wanted| wanted == one))
            };
            let action_name = action.split(':').next().unwrap_or(&action);
            if matches(&wanted.actions, action_name) && matches(&wanted.containers, container.name)
            {
                text.push_str(&format!(
                    "{}\n",
                    self.event(at, &action, container, exit_code)
                ));
            }
        }
        text
    }

    fn event(
        &self,
        at: Timestamp,
        action: &str,
        container: &Container,
        exit_code: Option<i64>,
    ) -> Value {
        let id = self.id(container.name);
        let mut attributes = Map::new();
        let mut put = |key: &str, value: &str| {
            attributes.insert(key.to_owned(), json!(value));
        };
        put("image", container.image);
        put("name", container.name);
        put("com.docker.compose.project", container.project);
        put("com.docker.compose.service", container.service);
        put("com.docker.compose.container-number", "1");
        if let Some(code) = exit_code {
            put("exitCode", &code.to_string());
        }
        json!({
            "status": action,
            "id": id,
            "from": container.image,
            "Type": "container",
            "Action": action,
            "Actor": {"ID": id, "Attributes": attributes},
            "scope": "local",
            "time": whole((real(at.as_millis()) / 1000.0).floor()),
            "timeNano": at.as_millis() * 1_000_000,
        })
    }
}
