//! What QTS tells of itself.

use schemas::time::Timestamp;

use super::{Qnap, bare, tag};
use crate::{
    number::{real, whole},
    world::nas::Reading,
};

fn fahrenheit(celsius: i64) -> i64 {
    whole(real(celsius) * 1.8 + 32.0)
}

impl Qnap {
    pub(super) fn health(&self, reading: &Reading) -> String {
        let full = self
            .nas
            .volumes
            .iter()
            .zip(&reading.used)
            .any(|(volume, used)| real(*used) / real(volume.bytes) > 0.95);
        let status = if full { "warning" } else { "good" };
        format!(
            "<func><ownContent><sysHealth>{}</sysHealth></ownContent></func>\n",
            tag("status", status)
        )
    }

    pub(super) fn sysinfo(&self, reading: &Reading) -> String {
        let mut root = String::new();
        let mut put = |text: String| root.push_str(&text);
        put(tag(
            "timezone",
            "(GMT+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna",
        ));
        let busy = reading.user_percent + reading.system_percent;
        put(tag("cpu_usage", format!("{busy}.0 %")));
        put(tag("cpu_model", "Intel(R) Celeron(R) N5105 @ 2.00GHz"));
        let mib = |kib: i64| format!("{:.1}", real(kib) / 1024.0);
        put(tag(
            "total_memory",
            mib(self.nas.memory_kib - self.nas.memory_kib / 24),
        ));
        put(tag("free_memory", mib(reading.memory_free_kib)));
        put(tag("nic_cnt", 2));
        put(tag("nic_lan_cnt", 2));
        for (n, connected) in [(1, true), (2, false)] {
            let or_none = |number: i64| if connected { number } else { 0 };
            put(bare(&format!("ifname{n}"), format!("eth{}", n - 1)));
            put(bare(&format!("dname{n}"), format!("Adapter {n}")));
            put(bare(
                &format!("rx_packet{n}"),
                or_none(reading.received_packets),
            ));
            put(bare(
                &format!("tx_packet{n}"),
                or_none(reading.sent_packets),
            ));
            put(bare(&format!("err_packet{n}"), 0));
            put(bare(&format!("eth_status{n}"), i64::from(connected)));
            put(bare(&format!("eth_max_speed{n}"), 2500));
            put(bare(
                &format!("eth_ip{n}"),
                if connected {
                    self.nas.address
                } else {
                    "0.0.0.0"
                },
            ));
            put(bare(&format!("eth_mask{n}"), "255.255.255.0"));
            put(bare(&format!("eth_mac{n}"), format!("24:5e:be:4a:11:0{n}")));
            put(bare(&format!("eth_usage{n}"), "DHCP"));
        }
        put("<dnsInfo><DNS_LIST>192.168.1.2</DNS_LIST></dnsInfo>".to_owned());
        let minutes = reading.uptime_seconds / 60;
        put(tag("uptime_day", minutes / 1440));
        put(tag("uptime_hour", minutes / 60 % 24));
        put(tag("uptime_min", minutes % 60));
        put(tag("uptime_sec", reading.uptime_seconds % 60));
        put(tag("server_name", self.nas.name));
        put(tag("serial_number", &self.nas.serial));
        let cpu = reading.celsius + 6;
        put(tag("cpu_tempc", cpu));
        put(tag("cpu_tempf", fahrenheit(cpu)));
        put(tag("sys_tempc", reading.celsius));
        put(tag("sys_tempf", fahrenheit(reading.celsius)));
        put(tag("sysfan_count", 1));
        put(tag("sysfan1", reading.fan_rpm));
        put(tag("sysfan1_stat", 0));
        put(tag("disk_num", self.nas.disks.len()));
        for (disk, now) in self.nas.disks.iter().zip(&reading.disks) {
            let n = disk.slot;
            put(tag(&format!("disk_installed{n}"), 1));
            put(tag(&format!("tempc{n}"), now.celsius));
            put(tag(&format!("tempf{n}"), fahrenheit(now.celsius)));
            put(tag(&format!("hd_is_ssd{n}"), i64::from(disk.ssd)));
            put(tag(&format!("hd_pd_alias{n}"), format!("Disk {n}")));
        }
        for (name, limit) in [
            ("HDTempWarnT", 55),
            ("HDTempErrT", 60),
            ("SSDTempWarnT", 70),
            ("CPUTempWarnT", 85),
            ("SysTempWarnT", 70),
        ] {
            put(tag(name, limit));
        }
        format!(
            "<func>{}<ownContent><root>\n{root}</root></ownContent></func>\n",
            tag("name", "S_MENU_40")
        )
    }

    pub(super) fn bandwidth(reading: &Reading) -> String {
        // bytes of the last five seconds
        let port = |name: &str, label: &str, rx: i64, tx: i64| {
            format!(
                "<{name}>{}{}{}{}</{name}>",
                tag("id", name),
                tag("dname", label),
                tag("rx", rx * 5),
                tag("tx", tx * 5)
            )
        };
        format!(
            "{}{}<bandwidth_info>{}{}{}{}</bandwidth_info>\n",
            tag("df_gateway", "eth0"),
            tag("bandwidth_interval", 5),
            tag("eth_index_list", "0,1"),
            tag("wlan_index_list", ""),
            port(
                "eth0",
                "Adapter 1",
                reading.received_bytes,
                reading.sent_bytes
            ),
            port("eth1", "Adapter 2", 0, 0),
        )
    }

    pub(super) fn firmware(&self, now: Timestamp) -> String {
        let checked = self.world.clock(now.plus_millis(-7_200_000));
        format!(
            "<func>{}<ownContent>{}{}{}{}</ownContent></func>\n",
            tag("name", "S_MENU_9"),
            tag("Result", 0),
            tag("rebootSuggest", 0),
            tag("newVersion", "5.1.4.2596 Build 20231128"),
            tag("updateCheckTime", checked.format("%Y/%m/%d %H:%M:%S")),
        )
    }
}
