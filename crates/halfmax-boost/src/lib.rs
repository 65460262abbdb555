//! halfmax-boost
