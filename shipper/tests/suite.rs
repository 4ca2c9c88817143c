//! The shipper between a spool and a destination, both real or as faulty as a test wants them.

// one module, so that lints know all of it as tests
#[cfg(test)]
mod suite {
    mod fairness;
    mod faults;
    mod hub;
    mod kit;
    mod ledger;
    mod loss;
    mod overflow;
    mod refusals;
}
