//! The device that a network runs on: finds the device of a name without touching devices that do not exist.

use burn::tensor::Device;
#[cfg(any(feature = "cuda", feature = "wgpu", feature = "tch"))]
use burn::tensor::DeviceType;
use halfmax_core::{Error, Result};

const NAMES: &str = "\"auto\", \"cpu\", \"cuda:0\", \"wgpu:0\", \"libtorch\" or \"libtorch:cuda:0\"";

/// A device, by its name in a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Auto,
    Cpu,
    Cuda(usize),
    /// The first graphics processor if there is no number, otherwise the adapter with this number.
    Wgpu(Option<usize>),
    LibTorch,
    LibTorchCuda(usize),
}

impl Name {
    fn parse(name: &str) -> Result<Self> {
        let mut parts = name.split(':');
        let kind = parts.next().unwrap_or_default();
        let rest: Vec<&str> = parts.collect();
        let unknown = || Error::parameter("device", format!("{name:?}"), NAMES);
        // The runtimes hold a device number in 16 bits.
        let number = |text: &str| text.parse::<u16>().map(usize::from).map_err(|_| unknown());
        Ok(match (kind, rest.as_slice()) {
            ("auto", []) => Self::Auto,
            ("cpu", []) => Self::Cpu,
            ("cuda", []) => Self::Cuda(0),
            ("cuda", [at]) => Self::Cuda(number(at)?),
            ("wgpu", []) => Self::Wgpu(None),
            ("wgpu", [at]) => Self::Wgpu(Some(number(at)?)),
            ("libtorch", []) => Self::LibTorch,
            ("libtorch", ["cuda"]) => Self::LibTorchCuda(0),
            ("libtorch", ["cuda", at]) => Self::LibTorchCuda(number(at)?),
            _ => return Err(unknown()),
        })
    }

    /// The build feature that the device needs, if this build lacks it.
    fn missing_feature(self) -> Option<&'static str> {
        match self {
            Self::Cuda(_) if cfg!(not(feature = "cuda")) => Some("cuda"),
            Self::Wgpu(_) if cfg!(not(feature = "wgpu")) => Some("wgpu"),
            Self::LibTorch | Self::LibTorchCuda(_) if cfg!(not(feature = "tch")) => Some("tch"),
            _ => None,
        }
    }

    fn found(self) -> Option<Device> {
        match self {
            Self::Auto => {
                let graphics = [Self::Cuda(0), Self::LibTorchCuda(0), Self::Wgpu(None)];
                Some(graphics.into_iter().find_map(Self::found).unwrap_or_else(Device::flex))
            }
            Self::Cpu => Some(Device::flex()),
            Self::Cuda(at) => cuda().into_iter().nth(at),
            Self::Wgpu(at) => wgpu(at),
            Self::LibTorch => libtorch(),
            Self::LibTorchCuda(at) => libtorch_cuda().into_iter().nth(at),
        }
    }
}

/// Checks that the name is a device name and that this build supports the device.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let Some(feature) = Name::parse(name)?.missing_feature() else { return Ok(()) };
    Err(Error::config(format!("device = {name:?}: this build has no support for it")).with_help(format!(
        "build halfmax with `cargo build --release --features {feature}`, or set device = \"cpu\""
    )))
}

/// The device with this name.
///
/// # Errors
/// If this build or this machine does not have the device.
pub(crate) fn find(name: &str) -> Result<Device> {
    check_name(name)?;
    Name::parse(name)?.found().ok_or_else(|| {
        Error::config(format!("device = {name:?}: this machine has no such device"))
            .with_help("set device = \"auto\" or \"cpu\", or check the driver of the graphics processor")
    })
}

/// The device with this name if this build and machine have it, otherwise the processor.
pub(crate) fn usable(name: &str) -> Device {
    find(name).unwrap_or_else(|_| Device::flex())
}

/// Whether the device computes with the program's own threads.
pub(crate) fn is_processor(device: &Device) -> bool {
    *device == Device::flex()
}

#[cfg(feature = "cuda")]
fn cuda() -> Vec<Device> {
    Device::enumerate(DeviceType::Cuda).into_vec()
}

#[cfg(not(feature = "cuda"))]
fn cuda() -> Vec<Device> {
    Vec::new()
}

#[cfg(feature = "wgpu")]
fn wgpu(at: Option<usize>) -> Option<Device> {
    let all = Device::enumerate(DeviceType::Wgpu).into_vec();
    match at {
        Some(at) => all.into_iter().nth(at),
        // The list also has adapters that draw with the processor.
        None => {
            let software = Device::wgpu(burn::tensor::DeviceKind::Cpu);
            all.into_iter().find(|device| *device != software)
        }
    }
}

#[cfg(not(feature = "wgpu"))]
fn wgpu(_: Option<usize>) -> Option<Device> {
    None
}

// LibTorch is supported because users have it. burn itself recommends its other devices.
#[cfg(feature = "tch")]
#[allow(deprecated)]
fn libtorch() -> Option<Device> {
    Some(Device::libtorch())
}

#[cfg(not(feature = "tch"))]
fn libtorch() -> Option<Device> {
    None
}

/// Only LibTorch's graphics processors are listed.
#[cfg(feature = "tch")]
fn libtorch_cuda() -> Vec<Device> {
    Device::enumerate(DeviceType::LibTorch).into_vec()
}

#[cfg(not(feature = "tch"))]
fn libtorch_cuda() -> Vec<Device> {
    Vec::new()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_documentation() {
        assert_eq!(Name::parse("cuda:3").unwrap(), Name::Cuda(3));
        assert_eq!(Name::parse("libtorch:cuda:1").unwrap(), Name::LibTorchCuda(1));
        assert_eq!(Name::parse("wgpu").unwrap(), Name::Wgpu(None));
        for wrong in ["", "CPU", "cpu:0", "cuda:", "cuda:x", "cuda:70000", "cuda:0:1", "libtorch:cpu"] {
            let error = Name::parse(wrong).unwrap_err().to_string();
            assert_eq!(error, format!("device = {wrong:?}: expected {NAMES}"));
        }
        assert!(is_processor(&find("cpu").unwrap()));
    }

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn a_build_without_a_device_says_how_to_build_with_it() {
        let error = find("cuda:0").unwrap_err();
        assert_eq!(error.to_string(), "device = \"cuda:0\": this build has no support for it");
        assert!(error.help().unwrap().contains("cargo build --release --features cuda"));
    }

    #[test]
    #[cfg(feature = "cuda")]
    fn a_device_that_is_not_there_is_said_to_be_missing() {
        let error = find("cuda:4000").unwrap_err();
        assert_eq!(error.to_string(), "device = \"cuda:4000\": this machine has no such device");
    }
}
