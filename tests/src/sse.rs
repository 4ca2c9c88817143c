//! A plain reader of `text/event-stream`.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures::StreamExt;
use reqwest::Response;

/// One message of the stream.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Message {
    /// `event:`
    pub event: String,
    /// `id:`
    pub id: String,
    /// `data:`
    pub data: String,
}

/// A stream that is being read.
pub struct Stream {
    body: futures::stream::BoxStream<'static, reqwest::Result<Vec<u8>>>,
    buffer: Vec<u8>,
}

impl Stream {
    /// Reads from an answer with status 200.
    pub fn new(answer: Response) -> Result<Self> {
        ensure!(
            answer.status().is_success(),
            "the stream answered {}",
            answer.status()
        );
        let body = answer
            .bytes_stream()
            .map(|chunk| chunk.map(|bytes| bytes.to_vec()))
            .boxed();
        Ok(Self {
            body,
            buffer: Vec::new(),
        })
    }

    /// The next message; comments are passed over.
    pub async fn next(&mut self, patience: Duration) -> Result<Message> {
        tokio::time::timeout(patience, self.read())
            .await
            .context("no message in time")?
    }

    async fn read(&mut self) -> Result<Message> {
        loop {
            while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
                let message = parse(&String::from_utf8(block)?);
                if message != Message::default() {
                    return Ok(message);
                }
            }
            match self.body.next().await {
                Some(chunk) => self.buffer.extend(chunk?),
                None => bail!("the stream ended"),
            }
        }
    }
}

fn parse(block: &str) -> Message {
    let mut message = Message::default();
    for line in block.lines() {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => value.clone_into(&mut message.event),
            "id" => value.clone_into(&mut message.id),
            "data" => {
                if !message.data.is_empty() {
                    message.data.push('\n');
                }
                message.data.push_str(value);
            }
            _ => {}
        }
    }
    message
}
