//! Notes about a table. Their counts add up if the table is read in parts.

use std::fmt;

use halfmax_core::listed;

use crate::report::counted;

/// The largest number of names to keep; further names are only counted.
const MOST_NAMES: usize = 64;

/// A sentence about a decision, an assumption or an omission. Two notes that differ only in counts and lists of names
/// can be joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// A count with its noun, in the plural if needed; without a noun, the number alone.
    Count(usize, &'static str),
    /// A count after some words; both are omitted if the count is 0.
    IfAny(&'static str, usize, &'static str),
    Names(Names),
}

/// A list of names; the first are shown, the others are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    /// The distinct names, in order of appearance.
    kept: Vec<String>,
    /// The number of names not kept.
    more: usize,
    /// The number of names to show.
    shown: usize,
}

impl Note {
    /// A note that begins with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(vec![Part::Text(text.into())])
    }

    /// A note that begins with a count: `12 rows`.
    pub fn of(count: usize, noun: &'static str) -> Self {
        Self(vec![Part::Count(count, noun)])
    }

    /// Appends a text.
    pub fn then(mut self, text: impl Into<String>) -> Self {
        self.0.push(Part::Text(text.into()));
        self
    }

    /// Appends a count: `12 rows`.
    pub fn count(mut self, count: usize, noun: &'static str) -> Self {
        self.0.push(Part::Count(count, noun));
        self
    }

    /// Appends some words and a count, unless the count is 0: `, less 3 blanks`.
    #[must_use]
    pub fn count_if_any(mut self, words: &'static str, count: usize, noun: &'static str) -> Self {
        self.0.push(Part::IfAny(words, count, noun));
        self
    }

    /// Appends names and shows the first `shown`.
    pub fn names(mut self, names: impl IntoIterator<Item = String>, shown: usize) -> Self {
        let mut list = Names::none(shown);
        names.into_iter().for_each(|name| list.add(name));
        self.0.push(Part::Names(list));
        self
    }

    /// Adds the counts and names of the same note about another part of the table. Returns whether it is the same note.
    fn joins(&mut self, other: &Self) -> bool {
        let alike = |(own, other): (&Part, &Part)| match (own, other) {
            (Part::Text(own), Part::Text(other)) => own == other,
            (Part::Count(_, own), Part::Count(_, other)) => own == other,
            (Part::IfAny(words, _, own), Part::IfAny(other_words, _, other)) => {
                words == other_words && own == other
            }
            (Part::Names(own), Part::Names(other)) => own.shown == other.shown,
            _ => false,
        };
        if self.0.len() != other.0.len() || !self.0.iter().zip(&other.0).all(alike) {
            return false;
        }
        for pair in self.0.iter_mut().zip(&other.0) {
            match pair {
                (Part::Count(own, _), Part::Count(more, _))
                | (Part::IfAny(_, own, _), Part::IfAny(_, more, _)) => *own += more,
                (Part::Names(own), Part::Names(more)) => own.join(more),
                _ => {}
            }
        }
        true
    }
}

impl Names {
    /// An empty list that will show the first `shown` names.
    pub fn none(shown: usize) -> Self {
        Self { kept: Vec::new(), more: 0, shown }
    }

    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    pub fn join(&mut self, more: &Self) {
        more.kept.iter().for_each(|name| self.add(name.clone()));
        self.more += more.more;
    }

    pub fn add(&mut self, name: String) {
        match self.kept.contains(&name) {
            true => {}
            false if self.kept.len() < MOST_NAMES => self.kept.push(name),
            false => self.more += 1,
        }
    }
}

/// Adds the notes of another part of a table to the notes of earlier parts. A new note follows the note that precedes
/// it in its part.
pub fn join_notes(all: &mut Vec<Note>, more: impl IntoIterator<Item = Note>) {
    let mut next = None;
    for note in more {
        let known = all.iter_mut().position(|own| own.joins(&note));
        let at = known.unwrap_or_else(|| {
            let at = next.unwrap_or(all.len());
            all.insert(at, note);
            at
        });
        next = Some(at + 1);
    }
}

impl From<String> for Note {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Note {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.0 {
            match part {
                Part::Text(text) => f.write_str(text)?,
                Part::Count(count, "") => f.write_str(&crate::report::grouped(*count))?,
                Part::Count(count, noun) => f.write_str(&counted(*count, noun))?,
                Part::IfAny(_, 0, _) => {}
                Part::IfAny(words, count, noun) => write!(f, "{words}{}", counted(*count, noun))?,
                Part::Names(names) => write!(f, "{names}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.more == 0 {
            return f.write_str(&listed(&self.kept, self.shown));
        }
        let shown = self.kept.len().min(self.shown);
        let left = self.kept.len() - shown + self.more;
        write!(f, "{} and {left} more", self.kept[..shown].join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(rows: usize, names: &[&str]) -> Note {
        Note::of(rows, "row").then(" left out: ").names(names.iter().map(|name| (*name).to_owned()), 2)
    }

    #[test]
    fn notes_of_parts_are_one_note() {
        let mut all = vec![said(1, &["a"])];
        assert_eq!(all[0].to_string(), "1 row left out: a");
        join_notes(&mut all, [said(1200, &["b", "a", "c"]), "another".into(), "another".into()]);
        join_notes(&mut all, [said(0, &[]), "between".into(), "another".into()]);
        let said: Vec<String> = all.iter().map(Note::to_string).collect();
        let rows = format!("1,201 rows left out: {}", listed(&["a", "b", "c"], 2));
        assert_eq!(said, [rows, "between".into(), "another".into()]);
    }

    #[test]
    fn many_names_are_counted() {
        let names = (0..200).map(|at| format!("n{at}"));
        let note = Note::new("").names(names, 2);
        assert_eq!(note.to_string(), listed(&(0..200).map(|at| format!("n{at}")).collect::<Vec<_>>(), 2));
    }
}
