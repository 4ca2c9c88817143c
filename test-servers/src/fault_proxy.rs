use std::{
    net::SocketAddr,
    sync::{Arc, mpsc::sync_channel},
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context, Result};
use supervision::Supervisor;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::{
    fault_proxy::{connection::Connection, traffic::Counters},
    free_port,
};

mod connection;
mod traffic;

pub use traffic::Traffic;

/// What the network does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It passes everything on at once.
    None,
    /// Nobody listens: connections are refused. Those that are open stay.
    Refuse,
    /// Bytes stop, connections stay, as behind a router that lost its state.
    Stall,
    /// It passes at most so many bytes a second on, for each connection and direction.
    Slow(u32),
    /// The next chunk of at least so many bytes ends in its middle, and with it its connection.
    Halve(usize),
}

/// A network between a client and a server on 127.0.0.1 that a test breaks and mends.
///
/// It has a thread of its own, so that a busy test does not slow it down.
#[derive(Debug)]
pub struct FaultProxy {
    port: u16,
    fault: watch::Sender<Fault>,
    cuts: watch::Sender<u64>,
    held: watch::Sender<u64>,
    counters: Arc<Counters>,
    supervisor: Handle,
    thread: Option<JoinHandle<()>>,
}

struct Handle(Supervisor);

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Supervisor")
    }
}

const GRACE: Duration = Duration::from_secs(5);

impl FaultProxy {
    /// Listens on a free port and passes on to another one, where nobody has to listen yet.
    ///
    /// # Errors
    /// It cannot listen.
    pub fn start(server: u16) -> Result<Self> {
        let (fault, faults) = watch::channel(Fault::None);
        let (cuts, cut) = watch::channel(0);
        let (held, waiting) = watch::channel(0);
        let counters = Arc::new(Counters::default());
        let supervisor = Supervisor::new();
        let port = free_port()?;
        let listening = Listening {
            port,
            server,
            faults,
            cut,
            hold: waiting,
            counters: Arc::clone(&counters),
            supervisor: supervisor.clone(),
        };
        let (started, start) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("fault-proxy".to_owned())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                match runtime {
                    Ok(runtime) => runtime.block_on(async {
                        let bound = TcpListener::bind(("127.0.0.1", port)).await;
                        let supervisor = listening.supervisor.clone();
                        match bound {
                            Ok(listener) => {
                                drop(started.send(Ok(())));
                                listening.run(listener).await;
                                supervisor.drain(GRACE).await;
                            }
                            Err(e) => drop(started.send(Err(e))),
                        }
                    }),
                    Err(e) => drop(started.send(Err(e))),
                }
            })?;
        start
            .recv()
            .context("the proxy did not start")?
            .with_context(|| format!("cannot listen on {port}"))?;
        Ok(Self {
            port,
            fault,
            cuts,
            held,
            counters,
            supervisor: Handle(supervisor),
            thread: Some(thread),
        })
    }

    /// Where clients connect, on 127.0.0.1.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What the network does from now on.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// Resets every open connection.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Holds what connections that are open now carry; new ones pass. What is held arrives after [`FaultProxy::release`], also
    /// when its sender is gone: a network that delivers late.
    pub fn hold(&self) {
        self.held.send_replace(self.counters.read().connections);
    }

    /// Lets go of what is held.
    pub fn release(&self) {
        self.held.send_replace(0);
    }

    /// What went through so far.
    pub fn traffic(&self) -> Traffic {
        self.counters.read()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.supervisor.0.stop();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

struct Listening {
    port: u16,
    server: u16,
    faults: watch::Receiver<Fault>,
    cut: watch::Receiver<u64>,
    hold: watch::Receiver<u64>,
    counters: Arc<Counters>,
    supervisor: Supervisor,
}

impl Listening {
    async fn run(mut self, first: TcpListener) {
        let token = self.supervisor.token();
        let mut listener = Some(first);
        while !token.is_cancelled() {
            let refuses = *self.faults.borrow_and_update() == Fault::Refuse;
            if refuses {
                listener = None;
            } else if listener.is_none() {
                listener = TcpListener::bind(("127.0.0.1", self.port)).await.ok();
            }
            tokio::select! {
                () = token.cancelled() => {}
                changed = self.faults.changed() => if changed.is_err() { return },
                accepted = accept(listener.as_ref()) => self.serve(accepted),
            }
        }
    }

    fn serve(&self, client: TcpStream) {
        let connection = Connection {
            client,
            server: SocketAddr::from(([127, 0, 0, 1], self.server)),
            faults: self.faults.clone(),
            cut: self.cut.clone(),
            hold: self.hold.clone(),
            counters: Arc::clone(&self.counters),
        };
        let token = self.supervisor.token();
        self.supervisor.spawn_transient("connection", async move {
            tokio::select! {
                () = token.cancelled() => {}
                () = connection.run() => {}
            }
        });
    }
}

async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    if let Some(listener) = listener {
        loop {
            match listener.accept().await {
                Ok((client, _)) => return client,
                // no file descriptors, or the client went already
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }
    std::future::pending().await
}
