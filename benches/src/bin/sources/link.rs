use std::{net::SocketAddr, time::Duration};

use anyhow::Result;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// What is wrong with a faulty one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// Connections end at once.
    Closes,
    /// Nothing is ever answered.
    Silent,
    /// Something else is answered.
    Garbage,
    /// Answers end early.
    Halves,
}

impl Fault {
    pub(crate) const ALL: [Self; 4] = [Self::Closes, Self::Silent, Self::Garbage, Self::Halves];
}

/// A way to a service that takes its time.
pub(crate) struct Link {
    address: SocketAddr,
    fault: Option<Fault>,
    _tasks: JoinSet<()>,
}

impl Link {
    pub(crate) async fn open(service: &str, delay: Duration, fault: Option<Fault>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let service = service.to_owned();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                let service = service.clone();
                connections.spawn(async move {
                    // a link that breaks is what a faulty one is for
                    drop(pass(client, &service, delay, fault).await);
                });
            }
        });
        Ok(Self {
            address,
            fault,
            _tasks: tasks,
        })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) const fn is_faulty(&self) -> bool {
        self.fault.is_some()
    }
}

/// What is sent arrives after the delay; what is answered at once.
async fn pass(
    mut client: TcpStream,
    service: &str,
    delay: Duration,
    fault: Option<Fault>,
) -> std::io::Result<()> {
    match fault {
        Some(Fault::Closes) => return Ok(()),
        Some(Fault::Silent) => {
            let mut sink = [0; 4096];
            while client.read(&mut sink).await? > 0 {}
            return Ok(());
        }
        Some(Fault::Garbage) => {
            let _request = client.read(&mut [0; 4096]).await?;
            tokio::time::sleep(delay).await;
            return client.write_all(b"\0\xff what is this?\r\n\r\n").await;
        }
        Some(Fault::Halves) | None => {}
    }
    client.set_nodelay(true)?;
    let server = TcpStream::connect(service).await?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let there = async {
        let mut bytes = vec![0; 16 * 1024];
        loop {
            let count = from_client.read(&mut bytes).await?;
            let Some(part) = bytes.get(..count).filter(|part| !part.is_empty()) else {
                return std::io::Result::Ok(());
            };
            tokio::time::sleep(delay).await;
            to_server.write_all(part).await?;
        }
    };
    let back = async {
        let mut bytes = vec![0; 64 * 1024];
        loop {
            let count = from_server.read(&mut bytes).await?;
            let part = bytes.get(..count).unwrap_or_default();
            if part.is_empty() {
                return Ok(());
            }
            if fault == Some(Fault::Halves) {
                return to_client
                    .write_all(part.get(..count / 2).unwrap_or_default())
                    .await;
            }
            to_client.write_all(part).await?;
        }
    };
    tokio::select! {
        ended = there => ended,
        ended = back => ended,
    }
}
