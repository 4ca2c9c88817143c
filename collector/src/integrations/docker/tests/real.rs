//! Against a real Docker Engine, where one is given.

mod secured;

use std::process::Command;

use super::*;

const IMAGES: [&str; 2] = ["homelog-test/busybox:1", "homelog-test/busybox:2"];

struct Cli {
    url: String,
    made: Vec<String>,
}

impl Cli {
    fn given() -> Option<Self> {
        Some(Self {
            url: testing::variable("DOCKER_HOST")?,
            made: Vec::new(),
        })
    }

    fn docker(&self, arguments: &[&str]) -> String {
        let output = Command::new("docker")
            .arg("-H")
            .arg(&self.url)
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "docker {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn run(&mut self, name: &str, image: &str, options: &[&str], script: &str) -> String {
        let mut arguments = vec!["run", "--detach", "--network", "none", "--name", name];
        arguments.extend(options);
        arguments.extend([image, "sh", "-c", script]);
        self.made.push(name.to_owned());
        self.docker(&arguments)
    }
}

impl Drop for Cli {
    fn drop(&mut self) {
        for name in &self.made {
            drop(
                Command::new("docker")
                    .args(["-H", &self.url, "rm", "--force", name])
                    .output(),
            );
        }
    }
}

fn unique(name: &str) -> String {
    format!("hl-{name}-{}", std::process::id())
}

/// What is told of one container: other tests make theirs on the same engine.
fn of_one(mut told: Vec<Observation>, name: &str) -> Vec<Observation> {
    told.retain(|event| event.entity.id.as_str() == name);
    told
}

fn open_now(url: &str) -> Docker {
    Docker::open(Params::at(url.to_owned()), &testing::context("here.docker")).unwrap()
}

#[tokio::test]
async fn use_agrees_with_the_command_line() {
    let Some(mut cli) = Cli::given() else { return };
    let (busy, big) = (unique("busy"), unique("big"));
    cli.run(&busy, IMAGES[0], &["--cpus", "0.5"], "while :; do :; done");
    cli.run(
        &big,
        IMAGES[0],
        &[],
        "dd if=/dev/zero bs=50M count=1 | sleep 1000000",
    );
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut docker = open_now(&cli.url);
    poll(&mut docker).await;
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    let mut memory = 0.0;
    for _ in 0..6 {
        let said = cli.docker(&["stats", "--no-stream", "--format", "{{.CPUPerc}}", &busy]);
        theirs.push(said.trim_end_matches('%').parse::<f64>().unwrap() / 100.0);
        let told = poll(&mut docker).await;
        let number = |id: &str, field: &str| {
            of(&told, id)
                .fields
                .get(field)
                .and_then(FieldValue::as_f64)
                .unwrap()
        };
        ours.push(number(&busy, "cpu_ratio"));
        memory = number(&big, "memory_used_bytes");
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / 6.0;
    let (ours, theirs) = (mean(&ours), mean(&theirs));
    println!("cpu: ours {ours:.4}, the command line's {theirs:.4}; memory {memory}");
    assert!((ours - theirs).abs() / theirs < 0.1, "{ours} and {theirs}");
    assert!((50e6..56e6).contains(&memory), "{memory}");
}

#[tokio::test]
async fn life_and_death_are_told_as_they_happen() {
    let Some(mut cli) = Cli::given() else { return };
    let name = unique("life");
    let mut docker = open_now(&cli.url);
    poll(&mut docker).await;
    listen(&mut docker).await;
    let first = cli.run(
        &name,
        IMAGES[0],
        &[],
        "trap 'exit 7' TERM; while :; do sleep 0.1; done",
    );
    let (_, poll_now) = listen(&mut docker).await;
    assert!(poll_now, "a start is told at once");
    let told = of_one(poll(&mut docker).await, &name);
    assert_eq!(changes(&told), [(name.as_str(), "start", "running")]);
    let listening = async |docker: &mut Docker, wanted: &str| {
        let mut all = Vec::new();
        for _ in 0..40 {
            all.extend(of_one(listen(docker).await.0, &name));
            if all.iter().any(|event| text(event, "action") == wanted) {
                return all;
            }
        }
        panic!("no {wanted} in {all:?}");
    };
    cli.docker(&["pause", &name]);
    listening(&mut docker, "pause").await;
    cli.docker(&["unpause", &name]);
    listening(&mut docker, "unpause").await;
    cli.docker(&["stop", &name]);
    let told = listening(&mut docker, "die").await;
    let died = told
        .iter()
        .find(|event| text(event, "action") == "die")
        .unwrap();
    assert_eq!(died.fields.get("exit_code"), Some(&FieldValue::I64(7)));
    assert!(Timestamp::now().since(died.time) < 10_000);
    cli.docker(&["rm", &name]);
    listening(&mut docker, "destroy").await;
    let second = cli.run(&name, IMAGES[1], &[], "sleep 1000");
    listen(&mut docker).await;
    let told = of_one(poll(&mut docker).await, &name);
    let recreated = told
        .iter()
        .find(|event| text(event, "action") == "recreated")
        .unwrap();
    assert_eq!(
        (text(recreated, "old_image"), text(recreated, "new_image")),
        (IMAGES[0], IMAGES[1])
    );
    assert_eq!(text(recreated, "old_container_id"), &first[..12]);
    assert_eq!(text(recreated, "new_container_id"), &second[..12]);
}

#[tokio::test]
async fn running_out_of_memory_is_told() {
    let Some(mut cli) = Cli::given() else { return };
    let name = unique("oom");
    let mut docker = open_now(&cli.url);
    poll(&mut docker).await;
    listen(&mut docker).await;
    cli.run(
        &name,
        IMAGES[0],
        &["--memory", "16m", "--memory-swap", "16m"],
        "exec dd if=/dev/zero of=/dev/null bs=64M",
    );
    let mut told = Vec::new();
    for _ in 0..40 {
        let (heard, poll_now) = listen(&mut docker).await;
        told.extend(of_one(heard, &name));
        if poll_now {
            told.extend(of_one(poll(&mut docker).await, &name));
        }
        if told.iter().any(|event| text(event, "action") == "die") {
            break;
        }
    }
    let died = told
        .iter()
        .find(|event| text(event, "action") == "die")
        .unwrap();
    assert_eq!(
        died.fields.get("exit_code"),
        Some(&FieldValue::I64(137)),
        "{told:?}"
    );
    assert!(
        told.iter().any(|event| text(event, "action") == "oom"),
        "{told:?}"
    );
}
