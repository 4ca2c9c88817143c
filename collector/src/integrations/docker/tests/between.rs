//! What stands between the engine and whoever reads it: a port that ends connections on which nothing was said for a while,
//! as `HAProxy` does, and that can speak TLS.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use supervision::Supervisor;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, UnixStream},
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

use crate::testing::web::serve_all;

pub(super) struct Between {
    port: u16,
    cuts: Arc<AtomicUsize>,
    supervisor: Supervisor,
}

impl Drop for Between {
    fn drop(&mut self) {
        self.supervisor.stop();
    }
}

impl Between {
    /// Before the engine at a socket.
    pub(super) async fn start(
        socket: &str,
        idle: Duration,
        tls: Option<Arc<ServerConfig>>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let between = Self {
            port: listener.local_addr().unwrap().port(),
            cuts: Arc::default(),
            supervisor: Supervisor::new(),
        };
        let socket = socket.strip_prefix("unix://").unwrap_or(socket).to_owned();
        let cuts = Arc::clone(&between.cuts);
        serve_all(&between.supervisor, listener, move |client| {
            let (socket, cuts, tls) = (socket.clone(), Arc::clone(&cuts), tls.clone());
            async move {
                let engine = UnixStream::connect(socket).await?;
                let cut = match tls {
                    Some(config) => {
                        let client = TlsAcceptor::from(config).accept(client).await?;
                        Box::pin(pass(client, engine, idle)).await?
                    }
                    None => Box::pin(pass(client, engine, idle)).await?,
                };
                cuts.fetch_add(usize::from(cut), Ordering::SeqCst);
                Ok(())
            }
        });
        between
    }

    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// How many connections it ended because nothing was said.
    pub(super) fn cuts(&self) -> usize {
        self.cuts.load(Ordering::SeqCst)
    }
}

/// Passes on what either side says. Returns whether it was cut.
async fn pass(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    mut engine: UnixStream,
    idle: Duration,
) -> std::io::Result<bool> {
    let (mut asked, mut said) = ([0; 8192], [0; 8192]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => match read? {
                0 => return Ok(false),
                n => engine.write_all(&asked[..n]).await?,
            },
            read = engine.read(&mut said) => match read? {
                0 => {
                    client.shutdown().await?;
                    return Ok(false);
                }
                n => {
                    client.write_all(&said[..n]).await?;
                    client.flush().await?;
                }
            },
            () = tokio::time::sleep(idle) => return Ok(true),
        }
    }
}
