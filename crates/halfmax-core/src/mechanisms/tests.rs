#![allow(clippy::unwrap_used)]
use super::*;

#[test]
fn t() {
    Mechanisms::named("builtin").unwrap();
}
