#[cfg(loom)]
mod models;
#[cfg(not(loom))]
mod random;
#[cfg(not(loom))]
mod unit;
