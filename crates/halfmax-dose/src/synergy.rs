//! Synergy.
