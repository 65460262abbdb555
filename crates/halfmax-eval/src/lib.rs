//! halfmax-eval
