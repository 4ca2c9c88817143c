use schemas::Timestamp;

use crate::{SecretHash, session::SessionId, token::TokenId};

/// What a request acts by.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Principal {
    /// A session of a user.
    Session(SessionId),
    /// An API token.
    Token(TokenId),
}

/// A ticket to be stored.
#[derive(Clone, Debug)]
pub struct NewTicket {
    /// Hash of the ticket.
    pub hash: SecretHash,
    /// Who gets it; it ends with them.
    pub owner: Principal,
    /// Until when it must have been used for the first time.
    pub expires: Timestamp,
}

/// What a ticket is used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TicketUse {
    /// One WebSocket.
    Once,
    /// One event stream and its reconnects; the hash names the stream.
    Stream(SecretHash),
}
