//! The hub as a destination.

// one module, so that lints know all of it as tests
#[cfg(test)]
mod hub {
    mod pushes;
}
