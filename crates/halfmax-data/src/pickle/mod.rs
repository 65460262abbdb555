//! Reads Python pickles as data and never executes them.
//!
//! A pickle is a program: it may name any Python function and call it. This reader implements only the part of that
//! language that builds data. It knows the names in a short list (torch tensors, NumPy arrays, ordered dictionaries),
//! builds their data itself, and refuses a pickle that names anything else. Every size in the pickle is compared with
//! the available bytes, and memory stays within a multiple of the pickle's size.
//!
//! Protocols 2 to 5 are read, without objects of classes.
//!
//! ```
//! // {"A549": [1, 0, 1]}, pickled by Python.
//! let bytes = b"\x80\x04}\x94\x8c\x04A549\x94]\x94(K\x01K\x00K\x01es.";
//! let pickle = halfmax_data::pickle::read_pickle(bytes)?;
//! let (name, genes) = pickle.root().entries().and_then(|mut entries| entries.next()).expect("one entry");
//! assert_eq!(name.text(), Some("A549"));
//! assert_eq!(genes.vector()?, halfmax_data::pickle::Vector::Integers(vec![1, 0, 1]));
//! # Ok::<(), halfmax_core::Error>(())
//! ```

mod arrays;
mod globals;
mod machine;
mod torch;
mod value;

#[cfg(test)]
mod tests;

pub use arrays::Vector;
pub use value::{Node, Pickle};

use halfmax_core::Result;

use machine::{Machine, Names};

/// Reads a pickle.
///
/// # Errors
/// If the pickle is damaged, uses a name that is not in the list of known names, or needs more memory than 32 times its
/// size.
pub fn read_pickle(bytes: &[u8]) -> Result<Pickle<'_>> {
    let mut machine = Machine::new(bytes, Names::Data);
    let root = machine.run()?;
    if machine.at < bytes.len() {
        return Err(machine.refuse("bytes follow after its end"));
    }
    Ok(Pickle { root, objects: machine.objects })
}
