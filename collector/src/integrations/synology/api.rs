//! Which calls a DSM offers: each version has other paths and versions of them, and says so to everybody.

use std::collections::HashMap;

use serde_json::Value;

use super::wire::{Object, text, whole};

/// Where the list of calls is; it is there before it is read.
pub(super) const INFO_PATH: &str = "/webapi/query.cgi";
/// Longest path that is taken; that of DSM 5 has 64 characters.
const LONGEST_PATH: usize = 128;

/// One call, and the newest version of it whose answers are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) api: &'static str,
    pub(super) method: &'static str,
    version: u64,
}

const fn call(api: &'static str, method: &'static str, version: u64) -> Call {
    Call {
        api,
        method,
        version,
    }
}

pub(super) const LOGIN: Call = call("SYNO.API.Auth", "login", 6);
pub(super) const LOGOUT: Call = call("SYNO.API.Auth", "logout", 6);
pub(super) const UTILIZATION: Call = call("SYNO.Core.System.Utilization", "get", 1);
pub(super) const SYSTEM: Call = call("SYNO.Core.System", "info", 3);
pub(super) const DSM: Call = call("SYNO.DSM.Info", "getinfo", 2);
pub(super) const STORAGE: Call = call("SYNO.Storage.CGI.Storage", "load_info", 1);
pub(super) const UPS: Call = call("SYNO.Core.ExternalDevice.UPS", "get", 1);
pub(super) const HIBERNATION: Call = call("SYNO.Core.Hardware.Hibernation", "get", 1);

/// All that may be called.
const KNOWN: [Call; 7] = [LOGIN, UTILIZATION, SYSTEM, DSM, STORAGE, UPS, HIBERNATION];

/// The names of all that may be called, as the question for them wants them.
pub(super) fn names() -> String {
    KNOWN.map(|call| call.api).join(",")
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Offer {
    path: String,
    oldest: u64,
    newest: u64,
    /// Values of parameters are JSON, so that a text stands in quotes.
    json: bool,
}

/// How a call is made here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Form<'a> {
    /// Below `/webapi/`.
    pub(super) path: &'a str,
    pub(super) version: u64,
    pub(super) json: bool,
}

/// What a DSM offers of what may be called.
#[derive(Debug, Default)]
pub(super) struct Apis(HashMap<&'static str, Offer>);

impl Apis {
    /// Reads the list of calls; what is not known, or would lead elsewhere, is left out.
    pub(super) fn of(data: &Value) -> Self {
        let offers = KNOWN.iter().filter_map(|call| {
            let row = data.get(call.api)?.as_object()?;
            Some((call.api, offer(row)?))
        });
        Self(offers.collect())
    }

    /// How a call is made; `None` where this DSM does not offer it, or only in versions that are not understood.
    pub(super) fn form(&self, call: &Call) -> Option<Form<'_>> {
        let offer = self.0.get(call.api)?;
        let version = call.version.min(offer.newest);
        // a newer login takes the same parameters
        let version = if call.api == LOGIN.api {
            version.max(offer.oldest)
        } else {
            version
        };
        (version >= offer.oldest).then_some(Form {
            path: &offer.path,
            version,
            json: offer.json,
        })
    }
}

fn offer(row: &Object) -> Option<Offer> {
    let path = text(row, "path")?;
    let plain = path.len() <= LONGEST_PATH
        && !path.starts_with('/')
        && !path.contains("..")
        && path
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_./-".contains(c));
    let (oldest, newest) = (whole(row, "minVersion")?, whole(row, "maxVersion")?);
    (plain && oldest <= newest).then(|| Offer {
        path,
        oldest,
        newest,
        json: text(row, "requestFormat").is_some_and(|format| format == "JSON"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_version_is_the_newest_that_both_know() {
        let apis = Apis::of(&json!({
            "SYNO.API.Auth": {"path": "entry.cgi", "minVersion": 7, "maxVersion": "9"},
            "SYNO.Core.System": {"path": "___entry.cgi", "minVersion": 1, "maxVersion": 2, "requestFormat": "JSON"},
            "SYNO.DSM.Info": {"path": "dsm/info.cgi", "minVersion": 3, "maxVersion": 3},
            "SYNO.Core.System.Utilization": {"path": "entry.cgi", "minVersion": 1, "maxVersion": 1}
        }));
        let form = |call: &Call| {
            let form = apis.form(call)?;
            Some((form.path.to_owned(), form.version, form.json))
        };
        assert_eq!(form(&LOGIN), Some(("entry.cgi".to_owned(), 7, false)));
        assert_eq!(form(&SYSTEM), Some(("___entry.cgi".to_owned(), 2, true)));
        assert_eq!(form(&UTILIZATION).unwrap().1, 1);
        assert_eq!(form(&DSM), None, "only a version that is not understood");
        assert_eq!(form(&STORAGE), None, "not offered");
    }

    #[test]
    fn a_path_that_leads_elsewhere_is_not_taken() {
        for path in [
            "/etc/passwd",
            "../x.cgi",
            "a?b=c",
            "http://x/",
            "",
            "a b",
            &"a".repeat(200),
        ] {
            let apis = Apis::of(
                &json!({"SYNO.API.Auth": {"path": path, "minVersion": 1, "maxVersion": 6}}),
            );
            assert!(apis.form(&LOGIN).is_none(), "{path}");
        }
        for odd in [
            json!(null),
            json!([]),
            json!({"SYNO.API.Auth": 7}),
            json!({"SYNO.API.Auth": {}}),
        ] {
            assert!(Apis::of(&odd).form(&LOGIN).is_none());
        }
    }
}
