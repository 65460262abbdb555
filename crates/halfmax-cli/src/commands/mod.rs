//! The commands, one module each.

pub mod associate;
pub mod clean;
pub mod config;
pub mod data;
pub mod demo;
pub mod evaluate;
pub mod explain;
pub mod export;
pub mod fit_curves;
pub mod init;
pub mod reproduce;
pub mod score;
pub mod shell;
pub mod synergy;
pub mod train;
