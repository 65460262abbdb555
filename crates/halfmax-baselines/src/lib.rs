//! halfmax-baselines
