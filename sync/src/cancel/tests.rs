#[cfg(loom)]
mod models;
#[cfg(not(loom))]
mod table;
#[cfg(not(loom))]
mod unit;
