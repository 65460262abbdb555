//! Where a network runs.

use burn::tensor::Device;
use halfmax_core::{Error, Result};

/// Whether there is such a device name, and this build has what it needs.
pub(crate) fn check_name(name: &str) -> Result<()> {
    match name {
        "auto" | "cpu" => Ok(()),
        _ => Err(Error::parameter("device", format!("{name:?}"), "\"auto\" or \"cpu\"")),
    }
}

/// The device of a name.
pub(crate) fn find(name: &str) -> Result<Device> {
    check_name(name)?;
    Ok(Device::flex())
}

/// The device of a name where this build and machine have it, else the processor.
pub(crate) fn usable(name: &str) -> Device {
    find(name).unwrap_or_else(|_| Device::flex())
}

/// Whether a device computes with the threads of the program.
pub(crate) fn is_processor(device: &Device) -> bool {
    *device == Device::flex()
}
