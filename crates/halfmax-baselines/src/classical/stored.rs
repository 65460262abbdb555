//! What is wrong with a stored model.

use halfmax_core::Error;

pub(crate) fn malformed(what: impl std::fmt::Display) -> Error {
    Error::data(format!("the model is malformed: {what}"))
        .help("copy the file again, or train the model anew")
}
