//! A part of the work, so that several machines can share it.

use std::ops::Range;
use std::str::FromStr;

use halfmax_core::{Error, Result};

/// Part `number` of `count`, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    number: usize,
    count: usize,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
        match numbers {
            Some((number, count)) if (1..=count).contains(&number) => Ok(Self { number, count }),
            _ => Err("expected a part and the number of parts, from 1/16 to 16/16".into()),
        }
    }
}

impl Default for Shard {
    fn default() -> Self {
        Self::WHOLE
    }
}

impl Shard {
    /// The whole work.
    pub const WHOLE: Self = Self { number: 1, count: 1 };

    /// The positions of this part. The parts are consecutive and cover all positions.
    ///
    /// # Errors
    /// If there are fewer positions than parts.
    pub fn range(self, count: usize, what: &str) -> Result<Range<usize>> {
        if self.count > count.max(1) {
            return Err(Error::parameter(
                "shard",
                format!("{}/{}", self.number, self.count),
                &format!("at most {count} parts, since there are {count} {what} to divide"),
            ));
        }
        let end = |number: usize| (count as u128 * number as u128 / self.count as u128) as usize;
        Ok(end(self.number - 1)..end(self.number))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_the_whole() {
        for (count, parts) in [(7, 3), (16, 16), (1000, 7), (1, 1)] {
            let mut next = 0;
            for number in 1..=parts {
                let part =
                    format!("{number}/{parts}").parse::<Shard>().unwrap().range(count, "cell lines").unwrap();
                assert!(part.start == next && !part.is_empty());
                next = part.end;
            }
            assert_eq!(next, count);
        }
        for wrong in ["0/3", "4/3", "3", "a/b", "1/0", "-1/3"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
        assert!("1/8".parse::<Shard>().unwrap().range(5, "cell lines").is_err());
        assert_eq!(Shard::WHOLE.range(0, "pairs").unwrap(), 0..0);
    }
}
