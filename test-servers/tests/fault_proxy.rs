//! The network of the fault tests breaks as it is told and is otherwise not noticed.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use test_servers::{Fault, FaultProxy};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(300);

/// A client and the server's side of its connection, with the network between.
async fn connected() -> Result<(FaultProxy, TcpListener, TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let proxy = FaultProxy::start(listener.local_addr()?.port())?;
    let client = TcpStream::connect(("127.0.0.1", proxy.port())).await?;
    let (server, _) = timeout(PATIENCE, listener.accept()).await??;
    Ok((proxy, listener, client, server))
}

#[tokio::test]
async fn bytes_pass_both_ways_and_are_counted() -> Result<()> {
    let (proxy, _listener, mut client, mut server) = connected().await?;
    let sent: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let mut got = vec![0; sent.len()];
    let (written, read) = tokio::join!(client.write_all(&sent), server.read_exact(&mut got));
    written?;
    read?;
    ensure!(got == sent, "bytes changed on their way");
    server.write_all(b"thanks").await?;
    let mut thanks = [0; 6];
    client.read_exact(&mut thanks).await?;
    drop(client);
    ensure!(server.read(&mut got).await? == 0, "no end came");
    let traffic = proxy.traffic();
    ensure!(
        (traffic.connections, traffic.to_server, traffic.to_client) == (1, 300_000, 6),
        "{traffic:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_cut_resets_both_sides_and_the_next_connection_is_whole() -> Result<()> {
    let (proxy, listener, mut client, mut server) = connected().await?;
    proxy.cut();
    let mut byte = [0];
    let ended = timeout(PATIENCE, client.read(&mut byte)).await?;
    ensure!(ended.is_err(), "the client read {ended:?}");
    let ended = timeout(PATIENCE, server.read(&mut byte)).await?;
    ensure!(ended.is_err(), "the server read {ended:?}");
    let mut client = TcpStream::connect(("127.0.0.1", proxy.port())).await?;
    let (mut server, _) = timeout(PATIENCE, listener.accept()).await??;
    client.write_all(b"x").await?;
    timeout(PATIENCE, server.read_exact(&mut byte)).await??;
    let traffic = proxy.traffic();
    ensure!((traffic.connections, traffic.cut) == (2, 1), "{traffic:?}");
    Ok(())
}

#[tokio::test]
async fn a_stall_holds_what_is_sent_until_it_ends() -> Result<()> {
    let (proxy, _listener, mut client, mut server) = connected().await?;
    proxy.set(Fault::Stall);
    client.write_all(b"x").await?;
    let mut byte = [0];
    ensure!(
        timeout(SHORT, server.read(&mut byte)).await.is_err(),
        "a byte came through a stall"
    );
    proxy.set(Fault::None);
    timeout(PATIENCE, server.read_exact(&mut byte)).await??;
    ensure!(proxy.traffic().stalled == 1, "{:?}", proxy.traffic());
    Ok(())
}

#[tokio::test]
async fn a_chunk_is_halved_and_a_small_one_passes() -> Result<()> {
    let (proxy, _listener, mut client, mut server) = connected().await?;
    proxy.set(Fault::Halve(100));
    let mut got = Vec::new();
    client.write_all(&[1; 99]).await?;
    timeout(PATIENCE, server.read_exact(&mut [0; 99])).await??;
    client.write_all(&[2; 1000]).await?;
    // how the connection ends is the kernel's choice
    drop(timeout(PATIENCE, server.read_to_end(&mut got)).await?);
    ensure!(got == [2; 500], "{} bytes came", got.len());
    ensure!(proxy.traffic().halved == 1, "{:?}", proxy.traffic());
    Ok(())
}

#[tokio::test]
async fn a_slow_network_passes_everything_slowly() -> Result<()> {
    let (proxy, _listener, mut client, mut server) = connected().await?;
    proxy.set(Fault::Slow(10_000));
    let start = Instant::now();
    client.write_all(&[7; 5_000]).await?;
    timeout(PATIENCE, server.read_exact(&mut [0; 5_000])).await??;
    ensure!(
        start.elapsed() > Duration::from_millis(400),
        "half a second's bytes took {:?}",
        start.elapsed()
    );
    Ok(())
}

#[tokio::test]
async fn it_refuses_and_takes_connections_again() -> Result<()> {
    let (proxy, listener, mut client, mut server) = connected().await?;
    proxy.set(Fault::Refuse);
    let end = Instant::now() + PATIENCE;
    while TcpStream::connect(("127.0.0.1", proxy.port()))
        .await
        .is_ok()
    {
        ensure!(Instant::now() < end, "connections are still taken");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // the open one stays
    client.write_all(b"x").await?;
    timeout(PATIENCE, server.read_exact(&mut [0])).await??;
    proxy.set(Fault::None);
    while TcpStream::connect(("127.0.0.1", proxy.port()))
        .await
        .is_err()
    {
        ensure!(Instant::now() < end, "connections are still refused");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    timeout(PATIENCE, listener.accept()).await??;
    Ok(())
}

#[tokio::test]
async fn what_is_held_arrives_after_its_sender_is_gone_and_new_connections_pass() -> Result<()> {
    let (proxy, listener, mut client, mut late) = connected().await?;
    proxy.hold();
    client.write_all(b"late").await?;
    // it has to be on its way before its sender goes
    tokio::time::sleep(SHORT).await;
    drop(client);
    let mut client = TcpStream::connect(("127.0.0.1", proxy.port())).await?;
    let (mut server, _) = timeout(PATIENCE, listener.accept()).await??;
    client.write_all(b"soon").await?;
    let mut word = [0; 4];
    timeout(PATIENCE, server.read_exact(&mut word)).await??;
    ensure!(&word == b"soon", "{word:?}");
    ensure!(
        timeout(SHORT, late.read(&mut word)).await.is_err(),
        "it was not held"
    );
    proxy.release();
    timeout(PATIENCE, late.read_exact(&mut word)).await??;
    ensure!(&word == b"late", "{word:?}");
    Ok(())
}
