//! A service of one's own that tells its state as JSON, to whoever has its token.

use schemas::time::Timestamp;
use serde_json::{Value, json};

use super::Service;
use crate::{
    call::Call,
    fault::FaultKind,
    reply::Reply,
    world::{World, chance, shop},
};

/// The same shop, with another door.
pub(crate) struct HttpJson {
    world: World,
    token: String,
}

/// Its token.
pub(crate) fn token(seed: u64) -> String {
    chance::digits(seed, "shop/token", 32)
}

impl HttpJson {
    /// The one of this home.
    pub(crate) fn new(world: World) -> Self {
        Self {
            token: token(world.seed()),
            world,
        }
    }

    fn status(&self, now: Timestamp) -> Option<Value> {
        let reading = shop::read(&self.world, now)?;
        let queues: Vec<_> = reading
            .queues
            .iter()
            .map(|(name, waiting, done)| json!({"name": name, "waiting": waiting, "done": done}))
            .collect();
        let requests: i64 = reading.requests.iter().map(|one| one.count).sum();
        Some(json!({
            "service": "shop-api",
            "version": "2.7.1",
            "status": "UP",
            "startedAt": self.world.clock(reading.started).to_rfc3339(),
            "uptimeSeconds": now.since(reading.started) / 1000,
            "orders": {"open": reading.open_orders},
            // as text, as many services do
            "requests": {"total": requests.to_string()},
            "memory": {"residentBytes": reading.memory},
            "rack": {"temperatureFahrenheit": reading.celsius * 1.8 + 32.0},
            "queues": queues,
            "lastImport": null
        }))
    }
}

fn unauthorized() -> Reply {
    Reply::json(401, &json!({"error": "unauthorized"})).header("www-authenticate", "Bearer")
}

impl Service for HttpJson {
    fn answer(&self, call: &Call, now: Timestamp) -> Reply {
        match call.path.as_str() {
            "/healthz" => return Reply::text(200, "ok"),
            "/actuator/health" => return Reply::json(200, &json!({"status": "UP"})),
            "/api/status" => {}
            _ => return Reply::json(404, &json!({"error": "not found"})),
        }
        if call.bearer() != Some(&self.token) {
            return unauthorized();
        }
        match self.status(now) {
            Some(status) => Reply::json(200, &status),
            None => Reply::json(503, &json!({"status": "DOWN"})),
        }
    }

    fn listens(&self, now: Timestamp) -> bool {
        shop::read(&self.world, now).is_some()
    }

    /// Its tokens do not end.
    fn knows(&self, fault: FaultKind) -> bool {
        fault != FaultKind::ExpiredSession
    }

    fn expire(&self, _call: &Call) -> Option<Reply> {
        None
    }

    fn blocked(&self, _call: &Call) -> Reply {
        Reply::json(403, &json!({"error": "forbidden"}))
    }

    fn fails(&self) -> Reply {
        Reply::json(500, &json!({"error": "internal error"}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_the_token_is_told() {
        let service = HttpJson::new(World::new(1, 0));
        let now = Timestamp::from_millis(1_770_033_600_000);
        assert_eq!(service.answer(&Call::get("/api/status"), now).status, 401);
        let bearer = format!("Bearer {}", service.token);
        let call = Call::get("/api/status").with("authorization", &bearer);
        let status = service.answer(&call, now).value();
        assert_eq!(status["queues"][0]["name"], "mail");
        assert!(
            status["requests"]["total"]
                .as_str()
                .unwrap()
                .parse::<i64>()
                .unwrap()
                > 0
        );
    }
}
