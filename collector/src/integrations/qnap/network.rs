//! How much goes through the network, `chartReq.cgi?chart_func=bandwidth`, and before 4.5.4 `QSM40bandwidth`.

use schemas::{Entity, Fields};

use super::{
    value::{entity, name, number},
    xml::Element,
};

/// Over how many seconds its bytes are counted, where it does not say.
const USUAL_INTERVAL: f64 = 5.0;
/// Most adapters.
const MOST: usize = 64;

/// Reads the rates; nothing where it is no answer of this call.
pub(super) fn read(reply: &Element) -> Option<Vec<(Entity, Fields)>> {
    let info = reply.child("bandwidth_info")?;
    let interval = number(reply, "bandwidth_interval")
        .or_else(|| number(info, "bandwidth_interval"))
        .filter(|seconds| (1.0..=3600.0).contains(seconds))
        .unwrap_or(USUAL_INTERVAL);
    let old = info
        .all("item")
        .filter_map(|item| Some((name(item, "id")?, name(item, "name"), item)));
    // the newer one has an element for each adapter, and lists their numbers
    let new = ["eth", "wlan"].into_iter().flat_map(|kind| {
        let numbers = info.text(&format!("{kind}_index_list")).unwrap_or_default();
        numbers.split(',').filter_map(move |number| {
            let id = format!("{kind}{}", number.trim());
            let item = info.child(&id)?;
            Some((id, name(item, "dname"), item))
        })
    });
    let rates = old
        .chain(new)
        .take(MOST)
        .filter_map(|(id, shown, item)| {
            let entity = entity("qnap_interface", &id)?;
            let entity = entity.with_label("name", &shown.unwrap_or_default());
            let mut fields = Fields::new();
            for (field, key) in [("rx_bytes_per_second", "rx"), ("tx_bytes_per_second", "tx")] {
                if let Some(bytes) = number(item, key).filter(|bytes| *bytes >= 0.0) {
                    fields.set_rounded(field, bytes / interval, 0);
                }
            }
            (!fields.is_empty()).then_some((entity, fields))
        })
        .collect();
    Some(rates)
}

#[cfg(test)]
mod tests {
    use schemas::FieldValue;

    use super::*;
    use crate::integrations::qnap::xml::parse;

    fn rates(text: &str) -> Vec<String> {
        read(&parse(&format!("<QDocRoot>{text}</QDocRoot>")).unwrap())
            .unwrap()
            .iter()
            .map(|(entity, fields)| {
                let rate = |name| match fields.get(name) {
                    Some(FieldValue::F64(rate)) => rate.to_string(),
                    _ => "-".to_owned(),
                };
                let label = entity.labels.get("name").map_or("", |name| name);
                format!(
                    "{} {label:?} {} {}",
                    entity.id,
                    rate("rx_bytes_per_second"),
                    rate("tx_bytes_per_second")
                )
            })
            .collect()
    }

    #[test]
    fn both_forms_are_read() {
        let old = rates(
            "<bandwidth_info><df_gateway>eth0</df_gateway><item><id>eth0</id><name>LAN 1</name><rx>500</rx><tx>12</tx></item>\
             <item><name>no id</name><rx>1</rx></item><item><id>bond0</id><rx>--</rx><tx>5</tx></item></bandwidth_info>",
        );
        assert_eq!(old, ["eth0 \"LAN 1\" 100 2", "bond0 \"\" - 1"]);
        let new = rates(
            "<bandwidth_interval>10</bandwidth_interval><bandwidth_info><eth_index_list>0,1, 7</eth_index_list>\
             <wlan_index_list></wlan_index_list><eth0><dname>Adapter 1</dname><rx>500</rx><tx>0</tx></eth0>\
             <eth1><dname>Adapter 2</dname></eth1></bandwidth_info>",
        );
        assert_eq!(new, ["eth0 \"Adapter 1\" 50 0"]);
    }

    #[test]
    fn another_answer_is_told_from_an_empty_one() {
        assert!(rates("<bandwidth_info></bandwidth_info>").is_empty());
        assert!(read(&parse("<QDocRoot><authPassed>1</authPassed></QDocRoot>").unwrap()).is_none());
    }
}
