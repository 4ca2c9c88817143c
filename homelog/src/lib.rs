//! homelog
