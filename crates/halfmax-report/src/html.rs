//! The one place where text becomes markup.

use std::fmt::Write;

use crate::anchor::Anchor;

/// Markup under construction. Markup itself can only come from string literals (`&'static str`); data must go through
/// [`Html::text`] or [`Html::attr`], which escape it, or be a number.
#[derive(Default)]
pub(crate) struct Html(String);

impl Html {
    pub(crate) fn new() -> Self {
        Self(String::new())
    }

    /// Markup as written in the source of this crate.
    pub(crate) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Text from anywhere, escaped.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        escape(text, &mut self.0);
        self
    }

    /// ` name="value"`, the value escaped.
    pub(crate) fn attr(&mut self, name: &'static str, value: &str) -> &mut Self {
        self.0.push(' ');
        self.0.push_str(name);
        self.0.push_str("=\"");
        escape(value, &mut self.0);
        self.0.push('"');
        self
    }

    /// ` id=anchor`. An [`Anchor`] has only letters, digits and hyphens, so it needs no quotes.
    pub(crate) fn id(&mut self, anchor: &Anchor) -> &mut Self {
        self.raw(" id=");
        self.0.push_str(anchor.as_str());
        self
    }

    /// ` href=#anchor`.
    pub(crate) fn href(&mut self, anchor: &Anchor) -> &mut Self {
        self.raw(" href=#");
        self.0.push_str(anchor.as_str());
        self
    }

    /// A coordinate with at most one decimal; 0 if not finite.
    pub(crate) fn at(&mut self, value: f64) -> &mut Self {
        let rounded = if value.is_finite() { (value * 10.0).round() / 10.0 } else { 0.0 };
        // Writing to a String cannot fail.
        let _ = write!(self.0, "{}", if rounded == 0.0 { 0.0 } else { rounded });
        self
    }

    /// An integer, for attributes.
    pub(crate) fn whole(&mut self, value: usize) -> &mut Self {
        let _ = write!(self.0, "{value}");
        self
    }

    /// A formatted number, or the mark of a missing one: an en dash that screen readers read as "not available".
    pub(crate) fn number(&mut self, formatted: Option<String>) -> &mut Self {
        match formatted {
            Some(text) => self.text(&text),
            None => self.raw("–<i class=v> not available</i>"),
        }
    }

    /// `<p>text</p>` for each.
    pub(crate) fn paragraphs(&mut self, paragraphs: &[String]) -> &mut Self {
        for paragraph in paragraphs {
            self.raw("<p>").text(paragraph).raw("</p>");
        }
        self
    }

    /// Appends markup that was built separately.
    pub(crate) fn append(&mut self, part: Html) -> &mut Self {
        self.0.push_str(&part.0);
        self
    }

    /// Appends a copy of markup that was built separately and is still needed.
    pub(crate) fn append_copy(&mut self, part: &Html) -> &mut Self {
        self.0.push_str(&part.0);
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn finish(self) -> String {
        self.0
    }
}

/// Escapes for both text and quoted attributes. Control characters, and characters that would change the direction of
/// the text, become U+FFFD.
fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\r' => {}
            '\n' | '\t' => out.push(character),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => out.push('\u{fffd}'),
            _ if character.is_control() => out.push('\u{fffd}'),
            _ => out.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str) -> String {
        let mut html = Html::new();
        html.text(text);
        html.finish()
    }

    #[test]
    fn markup_in_text_is_text() {
        assert_eq!(escaped("<b>&'\"</script>"), "&lt;b&gt;&amp;&#39;&quot;&lt;/script&gt;");
        assert_eq!(escaped("ABCB1 – µM"), "ABCB1 – µM");
    }

    #[test]
    fn what_turns_text_around_is_shown() {
        assert_eq!(escaped("a\u{202e}b\u{2066}c\0d"), "a\u{fffd}b\u{fffd}c\u{fffd}d");
        assert_eq!(escaped("a\u{200f}b"), "a\u{200f}b");
    }

    #[test]
    fn attributes_are_quoted() {
        let mut html = Html::new();
        html.raw("<i").attr("title", "\" onclick=\"x").raw(">");
        assert_eq!(html.finish(), "<i title=\"&quot; onclick=&quot;x\">");
    }

    #[test]
    fn coordinates_are_short_and_finite() {
        let mut html = Html::new();
        html.at(12.0).raw(" ").at(-0.01).raw(" ").at(f64::NAN).raw(" ").at(3.1259);
        assert_eq!(html.finish(), "12 0 0 3.1");
    }
}
