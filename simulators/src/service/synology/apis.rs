//! Which APIs a version of DSM has.

use serde_json::{Map, Value, json};

/// A version of DSM.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Dsm {
    Six,
    Seven,
}

/// An API.
pub(super) struct Api {
    name: &'static str,
    /// Versions of DSM 6, then of DSM 7.
    versions: [(i64, i64); 2],
    /// Whether its parameters are JSON.
    json: bool,
}

/// An API in one version of DSM.
pub(super) struct Found {
    pub(super) name: &'static str,
    pub(super) min: i64,
    pub(super) max: i64,
}

const fn api(name: &'static str, six: (i64, i64), seven: (i64, i64)) -> Api {
    Api {
        name,
        versions: [six, seven],
        json: true,
    }
}

const APIS: &[Api] = &[
    Api {
        json: false,
        ..api("SYNO.API.Auth", (1, 6), (1, 7))
    },
    api("SYNO.API.Info", (1, 1), (1, 1)),
    api("SYNO.Core.CurrentConnection", (1, 1), (1, 1)),
    api("SYNO.Core.ExternalDevice.Storage.USB", (1, 1), (1, 1)),
    api("SYNO.Core.ExternalDevice.UPS", (1, 1), (1, 1)),
    api("SYNO.Core.Hardware.FanSpeed", (1, 1), (1, 1)),
    api("SYNO.Core.SecurityScan.Status", (1, 1), (1, 1)),
    api("SYNO.Core.Share", (1, 1), (1, 1)),
    api("SYNO.Core.System", (1, 3), (1, 3)),
    api("SYNO.Core.System.Utilization", (1, 1), (1, 1)),
    api("SYNO.Core.Upgrade.Server", (1, 2), (1, 4)),
    api("SYNO.DSM.Info", (2, 2), (2, 2)),
    api("SYNO.DSM.Network", (2, 2), (2, 2)),
    api("SYNO.Entry.Request", (1, 2), (1, 2)),
    api("SYNO.Storage.CGI.Storage", (1, 1), (1, 1)),
];

impl Dsm {
    fn of(self, api: &Api) -> Found {
        let [six, seven] = api.versions;
        let (min, max) = match self {
            Self::Six => six,
            Self::Seven => seven,
        };
        Found {
            name: api.name,
            min,
            max,
        }
    }

    /// The script of an API, as the list says.
    fn script(self, name: &str) -> &'static str {
        match (self, name) {
            (Self::Six, "SYNO.API.Auth") => "auth.cgi",
            (Self::Six, "SYNO.API.Info") => "query.cgi",
            _ => "entry.cgi",
        }
    }

    /// An API, if this version has it.
    pub(super) fn find(self, name: &str) -> Option<Found> {
        let api = APIS.iter().find(|api| api.name == name)?;
        Some(self.of(api))
    }

    /// Whether a script serves an API: also the old ones do on DSM 7.
    pub(super) fn serves(self, api: &Found, script: &str) -> bool {
        script == self.script(api.name)
            || matches!(
                (api.name, script),
                ("SYNO.API.Auth", "auth.cgi" | "entry.cgi")
                    | ("SYNO.API.Info", "query.cgi" | "entry.cgi")
            )
    }

    /// The list, or the part of it that is asked for.
    pub(super) fn list(self, wanted: Option<&str>) -> Value {
        let wanted = wanted.filter(|names| !matches!(*names, "" | "all" | "ALL"));
        let mut list = Map::new();
        for api in APIS {
            if wanted.is_some_and(|names| !names.split(',').any(|n| n.trim() == api.name)) {
                continue;
            }
            let found = self.of(api);
            let mut entry = json!({
                "path": self.script(api.name),
                "minVersion": found.min,
                "maxVersion": found.max,
            });
            if api.json {
                entry["requestFormat"] = json!("JSON");
            }
            list.insert(api.name.to_owned(), entry);
        }
        Value::Object(list)
    }
}
