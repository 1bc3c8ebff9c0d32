#[cfg(not(loom))]
mod give_up;
#[cfg(not(loom))]
mod home;
#[cfg(not(loom))]
mod leaf;
#[cfg(not(loom))]
mod model;
#[cfg(loom)]
mod models;
#[cfg(not(loom))]
mod unit;
