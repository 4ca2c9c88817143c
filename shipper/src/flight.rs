use std::{collections::HashMap, sync::Arc};

use event_log::{DestinationError, Record, Refusal, Taken};

use crate::{Services, bury::bury, queue::Item, window::Flight};

/// A flight that ended.
pub(crate) struct Landed {
    pub(crate) flight: Flight,
    /// What became of its events; those refused are buried.
    pub(crate) result: Result<Taken, DestinationError>,
}

/// Sends a flight and buries what is refused for good.
pub(crate) async fn fly(services: Services, flight: Flight) -> Landed {
    let events = flight
        .items
        .iter()
        .map(|item| Arc::clone(&item.event))
        .collect();
    let mut result = services.destination.append(events).await;
    if let Ok(taken) = &result
        && !taken.refused.is_empty()
    {
        let refused: Vec<(Item, Refusal)> = taken
            .refused
            .iter()
            .filter_map(|refusal| Some((flight.items.get(refusal.index)?.clone(), refusal.clone())))
            .collect();
        let name = services.destination.name();
        if let Err(e) = bury(&*services.spool, &services.agent, name, &refused).await {
            result = Err(DestinationError::away(format!(
                "refused events cannot be kept as dead letters: {e}"
            )));
        }
    }
    Landed { flight, result }
}

/// Says what was refused: one line for each reason.
pub(crate) fn tell_refused(destination: &str, flight: &Flight, taken: &Taken) {
    let mut reasons: HashMap<&str, (usize, &Refusal)> = HashMap::new();
    for refusal in &taken.refused {
        reasons.entry(&refusal.code).or_insert((0, refusal)).0 += 1;
    }
    for (code, (events, first)) in reasons {
        let id = flight
            .items
            .get(first.index)
            .map(|item| item.event.id().to_string())
            .unwrap_or_default();
        tracing::error!(
            destination,
            events,
            code,
            first = id,
            reason = first.message,
            "{destination} refused {events} events for good, they are dead letters of the spool now: {}",
            first.message
        );
    }
}

/// What stands in the spool and cannot be read, as a dead letter.
pub(crate) fn letter_of(record: &Record) -> event_log::DeadLetter {
    let (bytes, reason) = match &record.body {
        event_log::Body::Unreadable { bytes, reason } => (bytes.to_vec(), reason.clone()),
        event_log::Body::Event(_) => (Vec::new(), String::new()),
    };
    event_log::DeadLetter {
        partition: record.partition,
        offset: record.offset,
        field: None,
        time: schemas::Timestamp::now(),
        reason: "undecodable".to_owned(),
        message: reason,
        bytes,
    }
}
