use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
};

use super::{
    Fault,
    traffic::{Counters, count},
};

const CHUNK: usize = 64 * 1024;
/// How much of a slow network's second goes at a time.
const SLICES: u32 = 20;

pub(super) struct Connection {
    pub(super) client: TcpStream,
    pub(super) server: SocketAddr,
    pub(super) faults: watch::Receiver<Fault>,
    pub(super) cut: watch::Receiver<u64>,
    /// Connections up to this number wait.
    pub(super) hold: watch::Receiver<u64>,
    pub(super) counters: Arc<Counters>,
}

enum End {
    /// One side had no more to say.
    Closed,
    /// In the middle of a chunk.
    Halved,
}

impl Connection {
    pub(super) async fn run(mut self) {
        let number = 1 + self.counters.connections.fetch_add(1, Ordering::Relaxed);
        self.cut.mark_unchanged();
        let Ok(mut server) = TcpStream::connect(self.server).await else {
            reset(&self.client);
            return;
        };
        drop(server.set_nodelay(true));
        drop(self.client.set_nodelay(true));
        let was_cut = {
            let (from_client, to_client) = self.client.split();
            let (from_server, to_server) = server.split();
            let pump = |counter| Pump {
                number,
                faults: self.faults.clone(),
                hold: self.hold.clone(),
                counters: &self.counters,
                counter,
            };
            let up = pump(&self.counters.to_server).run(from_client, to_server);
            let down = pump(&self.counters.to_client).run(from_server, to_client);
            tokio::select! {
                biased;
                _ = self.cut.changed() => true,
                () = both(up, down) => false,
            }
        };
        if was_cut {
            count(&self.counters.cut, 1);
            reset(&self.client);
            reset(&server);
        }
    }
}

/// Goes on until both directions are closed or one ends otherwise.
async fn both(
    up: impl Future<Output = io::Result<End>>,
    down: impl Future<Output = io::Result<End>>,
) {
    tokio::pin!(up, down);
    tokio::select! {
        end = &mut up => if let Ok(End::Closed) = end { drop(down.await) },
        end = &mut down => if let Ok(End::Closed) = end { drop(up.await) },
    }
}

fn reset(stream: &TcpStream) {
    // without it the kernel says goodbye politely
    drop(stream.set_zero_linger());
}

struct Pump<'a> {
    number: u64,
    hold: watch::Receiver<u64>,
    faults: watch::Receiver<Fault>,
    counters: &'a Counters,
    counter: &'a AtomicU64,
}

impl Pump<'_> {
    async fn run(mut self, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> io::Result<End> {
        let mut buffer = vec![0; CHUNK];
        loop {
            let n = from.read(&mut buffer).await?;
            if *self.faults.borrow() == Fault::Stall {
                count(&self.counters.stalled, 1);
                drop(self.faults.wait_for(|fault| *fault != Fault::Stall).await);
            }
            if *self.hold.borrow() >= self.number {
                count(&self.counters.stalled, 1);
                drop(self.hold.wait_for(|held| *held < self.number).await);
            }
            let chunk = buffer.get(..n).unwrap_or_default();
            if chunk.is_empty() {
                to.shutdown().await?;
                return Ok(End::Closed);
            }
            let fault = *self.faults.borrow();
            match fault {
                Fault::Halve(least) if n >= least.max(2) => {
                    let half = chunk.get(..n / 2).unwrap_or_default();
                    to.write_all(half).await?;
                    count(self.counter, half.len());
                    count(&self.counters.halved, 1);
                    return Ok(End::Halved);
                }
                Fault::Slow(rate) => {
                    let slice = (rate / SLICES).max(1) as usize;
                    for piece in chunk.chunks(slice) {
                        tokio::time::sleep(Duration::from_secs(1) / SLICES).await;
                        to.write_all(piece).await?;
                        count(self.counter, piece.len());
                    }
                }
                _ => {
                    to.write_all(chunk).await?;
                    count(self.counter, n);
                }
            }
        }
    }
}
