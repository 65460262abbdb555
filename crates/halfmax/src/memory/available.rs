//! The memory available to this process: the free memory of the machine, its container and its limits.

use std::fmt;
use std::sync::OnceLock;

use halfmax_core::{Error, Result};

/// The memory available to this process, including the memory that it already uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Available {
    /// In bytes.
    pub bytes: u64,
    /// The limiting factor.
    pub by: String,
}

/// The value of `--memory`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Bytes(u64),
    Unlimited,
}

static SAID: OnceLock<Said> = OnceLock::new();

/// Sets the memory limit of this process from the value of `--memory`.
///
/// # Errors
/// If the value is not a size.
pub fn limit_memory(said: &str) -> Result<()> {
    let said = Said::of(said).ok_or_else(|| {
        Error::parameter("memory (`--memory`)", said, "a size such as 8GB or 500MB, or \"unlimited\"")
    })?;
    let _ = SAID.set(said);
    Ok(())
}

impl Said {
    fn of(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        if text == "unlimited" {
            return Some(Self::Unlimited);
        }
        halfmax_data::parse_size(&text).ok().map(Self::Bytes)
    }
}

impl Available {
    /// The memory available now; `None` if it is unknown, or with `--memory unlimited`.
    pub fn now() -> Option<Self> {
        match SAID.get() {
            Some(Said::Unlimited) => None,
            Some(Said::Bytes(bytes)) => Some(Self { bytes: *bytes, by: "the limit `--memory`".into() }),
            None => {
                let taken = taken();
                let left = limits().into_iter().min_by_key(|limit| limit.bytes);
                left.map(|left| Self { bytes: left.bytes + taken, ..left })
            }
        }
    }
}

impl fmt::Display for Available {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is available ({})", size(self.bytes), self.by)
    }
}

/// A size in words: "850 MB", "3.2 GB".
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000_000 => format!("{} MB", bytes.div_ceil(1_000_000)),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::path::{Path, PathBuf};

    use super::Available;

    /// The memory in use by this process, in bytes; 0 if unknown.
    pub fn taken() -> u64 {
        1024 * status("VmRSS:").unwrap_or(0)
    }

    /// The memory that each limit leaves.
    pub fn limits() -> Vec<Available> {
        let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let free = kilobytes(&text("/proc/meminfo"), "MemAvailable:")
            .map(|free| Available { bytes: 1024 * free, by: "free on this machine".into() });
        let space = address_space(&text("/proc/self/limits"), 1024 * status("VmSize:").unwrap_or(0));
        let groups = groups(&text("/proc/self/cgroup"), Path::new("/sys/fs/cgroup"));
        free.into_iter().chain(space).chain(groups).collect()
    }

    fn status(key: &str) -> Option<u64> {
        kilobytes(&std::fs::read_to_string("/proc/self/status").ok()?, key)
    }

    /// The number after a key, in kB.
    fn kilobytes(text: &str, key: &str) -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_whitespace().next()?.parse().ok()
    }

    /// The memory that `ulimit -v` leaves.
    fn address_space(limits: &str, taken: u64) -> Option<Available> {
        let line = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
        let limit: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(Available { bytes: limit.saturating_sub(taken), by: "ulimit -v".into() })
    }

    /// The memory that control groups leave: the groups of this process and all groups above them, in versions 1 and 2.
    fn groups(own: &str, root: &Path) -> Vec<Available> {
        let mut found = Vec::new();
        for line in own.lines() {
            let mut parts = line.splitn(3, ':');
            let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
                continue;
            };
            let (root, files) = match controllers {
                "" => (root.to_path_buf(), ["memory.max", "memory.current", "inactive_file"]),
                _ if controllers.split(',').any(|one| one == "memory") => (
                    root.join("memory"),
                    ["memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"],
                ),
                _ => continue,
            };
            let mut folder: PathBuf = root.join(path.trim_start_matches('/'));
            loop {
                found.extend(left(&folder, files));
                if folder == root || !folder.pop() {
                    break;
                }
            }
        }
        found
    }

    /// The memory that the limit of a group leaves; `None` without a limit. Unused file pages count as free, since the system releases them
    /// on demand.
    fn left(folder: &Path, [limit, used, inactive]: [&str; 3]) -> Option<Available> {
        // Without a limit, version 1 reports a number above the memory of any machine.
        const NO_LIMIT: u64 = 1 << 60;
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
        let number = |name: &str| read(name)?.trim().parse::<u64>().ok();
        let path = folder.join(limit);
        let limit = number(limit).filter(|limit| *limit < NO_LIMIT)?;
        let line = read("memory.stat")?.lines().find_map(|line| {
            let (key, value) = line.split_once(' ')?;
            (key == inactive).then(|| value.trim().parse::<u64>().ok())?
        });
        let used = number(used)?.saturating_sub(line.unwrap_or(0));
        Some(Available { bytes: limit.saturating_sub(used), by: format!("left by {}", path.display()) })
    }

    #[cfg(test)]
    #[allow(clippy::unwrap_used)]
    mod tests {
        use super::*;

        #[test]
        fn the_least_of_all_groups_above_counts() {
            let root = tempfile::tempdir().unwrap();
            let write = |name: &str, text: &str| {
                let path = root.path().join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            };
            // Version 2: the outer group has the narrower limit; the root has none.
            write("outer/memory.max", "4000\n");
            write("outer/memory.current", "1500\n");
            write("outer/memory.stat", "anon 1000\ninactive_file 500\n");
            write("outer/inner/memory.max", "max\n");
            // Version 1.
            write("memory/memory.limit_in_bytes", "9223372036854771712\n");
            write("memory/memory.usage_in_bytes", "1\n");
            write("memory/memory.stat", "total_inactive_file 0\n");
            write("memory/job/memory.limit_in_bytes", "2500\n");
            write("memory/job/memory.usage_in_bytes", "600\n");
            write("memory/job/memory.stat", "inactive_file 7\ntotal_inactive_file 100\n");
            let bytes = |own: &str| groups(own, root.path()).iter().map(|one| one.bytes).collect::<Vec<_>>();
            assert_eq!(bytes("0::/outer/inner\n"), [3000]);
            assert_eq!(bytes("3:cpu,cpuacct:/job\n2:memory:/job\n"), [2000]);
            assert_eq!(bytes("0::/elsewhere\n"), [0; 0]);
        }

        #[test]
        fn limits_of_this_process_are_read() {
            assert!(taken() > 1_000_000);
            assert!(limits().iter().any(|limit| limit.by == "free on this machine" && limit.bytes > 0));
            let text = "Limit                     Soft Limit           Hard Limit           Units\n\
                        Max address space         5000                 unlimited            bytes\n";
            assert_eq!(address_space(text, 2000).unwrap().bytes, 3000);
            assert_eq!(address_space(&text.replace("5000     ", "unlimited"), 0), None);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use sysinfo::{ProcessesToUpdate, System};

    use super::Available;

    /// The memory in use by this process, in bytes; 0 if unknown.
    pub fn taken() -> u64 {
        let Ok(own) = sysinfo::get_current_pid() else { return 0 };
        let mut system = System::new();
        system.refresh_processes(ProcessesToUpdate::Some(&[own]), true);
        system.process(own).map_or(0, |process| process.memory())
    }

    /// The free memory of the machine.
    pub fn limits() -> Vec<Available> {
        let mut system = System::new();
        system.refresh_memory();
        let bytes = system.available_memory();
        let free = Available { bytes, by: "free on this machine".into() };
        Some(free).filter(|free| free.bytes > 0).into_iter().collect()
    }
}

use system::limits;
pub use system::taken;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_units() {
        let bytes = |text: &str| match Said::of(text) {
            Some(Said::Bytes(bytes)) => Some(bytes),
            _ => None,
        };
        assert_eq!(bytes("8GB"), Some(8_000_000_000));
        assert_eq!(bytes(" 1.5 gib"), Some(1_610_612_736));
        assert_eq!(bytes("500m"), Some(524_288_000));
        assert_eq!(Said::of("Unlimited"), Some(Said::Unlimited));
        for wrong in ["", "GB", "-1GB", "0MB", "1e400GB", "8 bytes", "8€"] {
            assert_eq!(Said::of(wrong), None, "{wrong}");
        }
        assert_eq!((size(850_000_000), size(3_210_000_000)), ("850 MB".into(), "3.2 GB".into()));
    }
}
