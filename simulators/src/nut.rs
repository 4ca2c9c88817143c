//! `upsd` of Network UPS Tools: lines over TCP.

use std::{net::IpAddr, sync::Arc, time::Duration};

use schemas::time::Timestamp;
use supervision::Supervisor;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tracing::debug;

use crate::{
    fault::{FaultKind, Faults},
    world::{World, ups},
};

/// Connections at a time.
const CONNECTIONS: usize = 64;
/// Longest line.
const LONGEST: u64 = 512;
/// How long a client may be silent.
const PATIENCE: Duration = Duration::from_mins(1);
/// Its only UPS.
const UPS: &str = "rack";
/// Who may ask; nobody has to say who he is.
pub(crate) const USER: &str = "homelog";

/// A server of one UPS.
pub(crate) struct Nut {
    world: World,
    password: String,
    faults: Faults,
}

/// What one connection has said of itself.
#[derive(Default)]
struct Client {
    user: Option<String>,
    password: Option<String>,
}

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Lines(String),
    Goodbye(String),
}

impl Nut {
    /// One whose user has this password.
    pub(crate) fn new(world: World, password: &str, faults: Faults) -> Self {
        Self {
            world,
            password: password.to_owned(),
            faults,
        }
    }

    /// All variables, in order.
    fn variables(&self, now: Timestamp) -> Vec<(&'static str, String)> {
        let ups = ups::read(&self.world, now);
        let status = match (ups.on_battery, ups.charging) {
            (true, _) => "OB DISCHRG",
            (_, true) => "OL CHRG",
            _ => "OL",
        };
        let text = ToOwned::to_owned;
        vec![
            ("battery.charge", ups.charge_percent.to_string()),
            ("battery.charge.low", text("10")),
            ("battery.charge.warning", text("20")),
            ("battery.runtime", ups.runtime_seconds.to_string()),
            ("battery.runtime.low", text("300")),
            ("battery.type", text("PbAcid")),
            ("battery.voltage", format!("{:.1}", ups.battery_volts)),
            ("battery.voltage.nominal", text("24")),
            ("device.mfr", text("CPS")),
            ("device.model", text("CP900EPFCLCD")),
            ("device.serial", text("CRXKO2000123")),
            ("device.type", text("ups")),
            ("driver.name", text("usbhid-ups")),
            ("driver.state", text("quiet")),
            ("driver.version", text("2.8.1")),
            ("input.transfer.high", text("260")),
            ("input.transfer.low", text("170")),
            ("input.voltage", format!("{:.1}", ups.input_volts)),
            ("input.voltage.nominal", text("230")),
            (
                "output.voltage",
                format!(
                    "{:.1}",
                    if ups.on_battery {
                        230.0
                    } else {
                        ups.input_volts
                    }
                ),
            ),
            ("ups.beeper.status", text("enabled")),
            ("ups.load", ups.load_percent.to_string()),
            ("ups.mfr", text("CPS")),
            ("ups.model", text("CP900EPFCLCD")),
            ("ups.realpower", format!("{:.1}", ups.watts)),
            ("ups.realpower.nominal", text("540")),
            ("ups.serial", text("CRXKO2000123")),
            ("ups.status", text(status)),
            ("ups.test.result", text("No test initiated")),
        ]
    }

    fn answer(&self, client: &mut Client, line: &str, now: Timestamp) -> Answer {
        let words = words(line);
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let lines = match words.as_slice() {
            ["VER"] => {
                "Network UPS Tools upsd 2.8.1 - https://www.networkupstools.org/\n".to_owned()
            }
            ["NETVER" | "PROTVER"] => "1.3\n".to_owned(),
            ["HELP"] => {
                "Commands: HELP VER GET LIST SET INSTCMD LOGIN LOGOUT USERNAME PASSWORD STARTTLS\n"
                    .to_owned()
            }
            ["STARTTLS"] => "ERR FEATURE-NOT-CONFIGURED\n".to_owned(),
            ["USERNAME", user] => match client.user.replace((*user).to_owned()) {
                None => "OK\n".to_owned(),
                Some(_) => "ERR ALREADY-SET-USERNAME\n".to_owned(),
            },
            ["PASSWORD", password] => match client.password.replace((*password).to_owned()) {
                None => "OK\n".to_owned(),
                Some(_) => "ERR ALREADY-SET-PASSWORD\n".to_owned(),
            },
            ["LOGIN", ups] if *ups == UPS => {
                let known = client.user.as_deref() == Some(USER)
                    && client.password.as_deref() == Some(self.password.as_str());
                (if known { "OK\n" } else { "ERR ACCESS-DENIED\n" }).to_owned()
            }
            ["LOGOUT"] => return Answer::Goodbye("OK Goodbye\n".to_owned()),
            ["LIST", "UPS"] => {
                format!("BEGIN LIST UPS\nUPS {UPS} \"UPS of the rack\"\nEND LIST UPS\n")
            }
            ["LIST", "VAR", ups] if *ups == UPS => {
                let variables: String = self
                    .variables(now)
                    .iter()
                    .map(|(name, value)| format!("VAR {UPS} {name} \"{value}\"\n"))
                    .collect();
                format!("BEGIN LIST VAR {UPS}\n{variables}END LIST VAR {UPS}\n")
            }
            ["LIST", kind @ ("RW" | "CMD" | "CLIENT"), ups] if *ups == UPS => {
                format!("BEGIN LIST {kind} {UPS}\nEND LIST {kind} {UPS}\n")
            }
            ["GET", "VAR", ups, wanted] if *ups == UPS => {
                let variables = self.variables(now);
                match variables.iter().find(|(name, _)| name == wanted) {
                    Some((name, value)) => format!("VAR {UPS} {name} \"{value}\"\n"),
                    None => "ERR VAR-NOT-SUPPORTED\n".to_owned(),
                }
            }
            ["GET", "UPSDESC", ups] if *ups == UPS => {
                format!("UPSDESC {UPS} \"UPS of the rack\"\n")
            }
            ["GET", "NUMLOGINS", ups] if *ups == UPS => format!("NUMLOGINS {UPS} 0\n"),
            ["LOGIN" | "GET" | "LIST", ..] if words.len() >= 2 => {
                let asks = matches!(
                    words.as_slice(),
                    ["LOGIN", _]
                        | ["GET", "VAR" | "UPSDESC" | "NUMLOGINS", ..]
                        | ["LIST", "VAR" | "RW" | "CMD" | "CLIENT", _]
                );
                (if asks {
                    "ERR UNKNOWN-UPS\n"
                } else {
                    "ERR INVALID-ARGUMENT\n"
                })
                .to_owned()
            }
            ["SET" | "INSTCMD" | "FSD" | "MASTER" | "PRIMARY", ..] => {
                "ERR ACCESS-DENIED\n".to_owned()
            }
            ["_SIMULATE", "NONE"] => {
                self.faults.clear();
                "OK\n".to_owned()
            }
            // what goes wrong is set as with the others: kind, rate, and for how many lines
            ["_SIMULATE", kind, rate, count @ ..] => {
                let kind = kind.parse::<FaultKind>().ok().filter(|kind| knows(*kind));
                let rate = rate.parse().ok().filter(|rate| (0.0..=1.0).contains(rate));
                let count = count.first().map(|count| count.parse());
                match (kind, rate, count.transpose()) {
                    (Some(kind), Some(rate), Ok(count)) => {
                        self.faults.set(kind, rate, count);
                        "OK\n".to_owned()
                    }
                    _ => "ERR INVALID-ARGUMENT\n".to_owned(),
                }
            }
            _ => "ERR UNKNOWN-COMMAND\n".to_owned(),
        };
        Answer::Lines(lines)
    }

    async fn talk(&self, stream: TcpStream, peer: IpAddr) -> std::io::Result<()> {
        let (reader, mut writer) = stream.into_split();
        let mut reader = BufReader::new(reader);
        let mut client = Client::default();
        loop {
            let mut line = String::new();
            let mut bounded = (&mut reader).take(LONGEST);
            let Ok(length) = timeout(PATIENCE, bounded.read_line(&mut line)).await else {
                return Ok(());
            };
            if length? == 0 || !line.ends_with('\n') {
                return Ok(());
            }
            let fault = if line.starts_with("_SIMULATE") {
                None
            } else {
                self.faults.next().filter(|fault| knows(*fault))
            };
            if let Some(fault) = fault {
                debug!(%fault, %peer, "a fault hits a line from {peer}");
            }
            let answer = match fault {
                Some(FaultKind::Timeout) => {
                    sleep(Duration::from_mins(5)).await;
                    return Ok(());
                }
                Some(FaultKind::ServerError) => {
                    Answer::Lines("ERR DRIVER-NOT-CONNECTED\n".to_owned())
                }
                Some(FaultKind::BlockedAccount) => Answer::Lines("ERR ACCESS-DENIED\n".to_owned()),
                Some(FaultKind::Garbage) => Answer::Lines("\u{1}\u{7f}VAR \"\"\"\n".to_owned()),
                _ => self.answer(&mut client, line.trim_end(), Timestamp::now()),
            };
            if fault == Some(FaultKind::Slow) {
                sleep(Duration::from_millis(2500)).await;
            }
            let (text, last) = match answer {
                Answer::Lines(text) => (text, false),
                Answer::Goodbye(text) => (text, true),
            };
            if fault == Some(FaultKind::HalfAnswer) {
                let half = text.as_bytes().get(..text.len() / 2).unwrap_or_default();
                return writer.write_all(half).await;
            }
            writer.write_all(text.as_bytes()).await?;
            if last {
                return Ok(());
            }
        }
    }
}

/// Whether such a thing can happen to it: it has no sessions, no limit of its own, and here no TLS.
const fn knows(fault: FaultKind) -> bool {
    !matches!(
        fault,
        FaultKind::ExpiredSession | FaultKind::RateLimit | FaultKind::WrongCertificate
    )
}

/// The words of a line; what stands in quotes is one.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quoted, mut begun) = (String::new(), false, false);
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => word.extend(characters.next()),
            '"' => {
                quoted = !quoted;
                begun = true;
            }
            ' ' | '\t' | '\r' if !quoted => {
                if begun || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            other => word.push(other),
        }
    }
    if begun || !word.is_empty() {
        words.push(word);
    }
    words
}

/// Accepts connections until the supervisor stops.
pub(crate) fn serve(supervisor: &Supervisor, listener: TcpListener, nut: Arc<Nut>) {
    let connections = supervisor.clone();
    supervisor.spawn("simulate/ups", async move {
        let stop = connections.token();
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = stop.cancelled() => return Ok(()),
            };
            let (Ok((stream, peer)), Ok(place)) = (accepted, Arc::clone(&room).try_acquire_owned())
            else {
                sleep(Duration::from_millis(50)).await;
                continue;
            };
            let (nut, stop) = (Arc::clone(&nut), stop.clone());
            connections.spawn_transient("simulate/ups/connection", async move {
                tokio::select! {
                    talked = nut.talk(stream, peer.ip()) => drop(talked),
                    () = stop.cancelled() => {}
                }
                drop(place);
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_answered_as_upsd_does() {
        let nut = Nut::new(World::new(1, 0), "pw", Faults::new(1, "ups", []));
        let mut client = Client::default();
        let mut ask = |line: &str| match nut.answer(
            &mut client,
            line,
            Timestamp::from_millis(1_770_000_000_000),
        ) {
            Answer::Lines(text) => text,
            Answer::Goodbye(text) => format!("{text}!"),
        };
        assert!(ask("LIST UPS").contains("UPS rack \"UPS of the rack\""));
        let all = ask("LIST VAR rack");
        assert!(all.starts_with("BEGIN LIST VAR rack\n") && all.ends_with("END LIST VAR rack\n"));
        assert!(ask("GET VAR rack ups.status").starts_with("VAR rack ups.status \"O"));
        assert_eq!(ask("GET VAR rack nothing"), "ERR VAR-NOT-SUPPORTED\n");
        assert_eq!(ask("LIST VAR other"), "ERR UNKNOWN-UPS\n");
        assert_eq!(ask("DANCE"), "ERR UNKNOWN-COMMAND\n");
        assert_eq!(ask("LOGIN rack"), "ERR ACCESS-DENIED\n");
        assert_eq!(ask("USERNAME homelog"), "OK\n");
        assert_eq!(ask("PASSWORD \"pw\""), "OK\n");
        assert_eq!(ask("LOGIN rack"), "OK\n");
        assert_eq!(ask("LOGOUT"), "OK Goodbye\n!");
    }

    #[test]
    fn what_goes_wrong_is_set_and_ended_by_a_line() {
        let nut = Nut::new(World::new(1, 0), "pw", Faults::new(1, "ups", []));
        let ask = |line: &str| nut.answer(&mut Client::default(), line, Timestamp::now());
        let said = |text: &str| Answer::Lines(text.to_owned());
        assert_eq!(ask("_SIMULATE slow 1"), said("OK\n"));
        assert_eq!(ask("_SIMULATE garbage 0.5 3"), said("OK\n"));
        assert!(nut.faults.is_on(FaultKind::Slow) && nut.faults.is_on(FaultKind::Garbage));
        for wrong in ["slow 2", "slow", "rate_limit 1", "slow 1 x"] {
            let answer = ask(&format!("_SIMULATE {wrong}"));
            assert!(
                matches!(answer, Answer::Lines(text) if text.starts_with("ERR ")),
                "{wrong}"
            );
        }
        assert_eq!(ask("_SIMULATE NONE"), said("OK\n"));
        assert_eq!(nut.faults.next(), None);
    }
}
