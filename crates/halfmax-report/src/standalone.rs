//! Pictures as separate SVG files, in light colours.

use crate::chart::{
    Shades, clipped, contour_chart, dose_chart, matrix_chart, plate_chart, plate_range, plate_size,
};
use crate::html::Html;
use crate::number::significant;
use crate::pictures::{DosePicture, MatrixPicture, Panel, PanelPicture, PlatePicture};

/// The style sheet of pages, with its light colours.
const STYLE: &str = include_str!("standalone.css");

/// A curve as the text of an SVG file.
///
/// ```
/// use halfmax_report::{DosePicture, curve_svg};
/// let svg = curve_svg("A375 · <Paclitaxel>", "IC50 0.3 µM", &DosePicture::default());
/// assert!(svg.starts_with("<svg xmlns=") && svg.contains("&lt;Paclitaxel&gt;"));
/// ```
pub fn curve_svg(title: &str, note: &str, picture: &DosePicture) -> String {
    let mut html = open([344, 262], title, note);
    html.raw("<g transform=\"translate(12 46)\">");
    dose_chart(&mut html, picture);
    html.raw("</g>");
    close(html)
}

/// A dose matrix as the text of an SVG file. The response and the synergy of each model have a row of pictures: the
/// values and a landscape. The drugs alone follow below.
pub fn matrix_svg(title: &str, note: &str, picture: &MatrixPicture) -> String {
    const ROW: usize = 366;
    let scored =
        || picture.surfaces.iter().filter(|surface| surface.scores.iter().any(|score| score.is_finite()));
    let rows = 1 + scored().count();
    let alone = if picture.alone.is_empty() { 0 } else { 240 };
    let mut html = open([740, 50 + rows * ROW + alone], title, note);
    let mut row = |at: usize, name: &str, picture: &MatrixPicture, values: &[f64], shades: Shades| {
        html.raw("<g transform=\"translate(12 ").whole(50 + at * ROW).raw(")\"><text class=name y=12>");
        html.text(name).raw("</text><g transform=\"translate(0 22)\">");
        matrix_chart(&mut html, picture, values, shades);
        html.raw("</g><g transform=\"translate(364 22)\">");
        contour_chart(&mut html, picture, values, shades);
        html.raw("</g></g>");
    };
    row(0, "Inhibition, %", picture, &picture.response, Shades::Inhibition);
    for (at, surface) in scored().enumerate() {
        let (own, surface) = picture.scored(surface);
        // Text that does not fit on a line is only on the page.
        let gist = surface.summary.split(';').next().unwrap_or_default();
        let name = format!("Synergy by {}, percentage points: {gist}", surface.name);
        row(at + 1, &name, &own, &surface.scores, Shades::Synergy);
    }
    for (at, drug) in picture.alone.iter().enumerate().take(2) {
        html.raw("<g transform=\"translate(")
            .whole(12 + at * 364)
            .raw(" ")
            .whole(70 + rows * ROW)
            .raw(")\">");
        dose_chart(&mut html, drug);
        html.raw("</g>");
    }
    close(html)
}

/// Doses of three and more drugs as the text of an SVG file: up to four maps a row, first of the response, then of the synergy of each model; below them
/// the drugs alone.
///
/// ```
/// use halfmax_report::{MatrixPicture, Panel, PanelPicture, panels_svg};
/// let matrix = MatrixPicture { doses: [vec![0.0, 1.0], vec![0.0]], response: vec![0.0, 60.0], ..MatrixPicture::default() };
/// let panel = Panel { name: "no <C>".into(), matrix };
/// let svg = panels_svg("A + B + <C>", "", &PanelPicture { panels: vec![panel], ..PanelPicture::default() });
/// assert!(svg.starts_with("<svg xmlns=") && svg.contains("<title>Inhibition, %, no &lt;C&gt;</title>"));
/// ```
pub fn panels_svg(title: &str, note: &str, picture: &PanelPicture) -> String {
    /// The number of maps per row, and the size of a map.
    const ACROSS: usize = 4;
    const PANEL: [usize; 2] = [360, 362];
    const HEAD: usize = 30;
    let across = picture.panels.len().max(picture.alone.len().min(ACROSS)).clamp(2, ACROSS);
    type Maps<'a> = Vec<(&'a Panel, &'a [f64])>;
    let mut parts: Vec<(String, Shades, Maps<'_>)> = Vec::new();
    let response = picture.panels.iter().map(|panel| (panel, panel.matrix.response.as_slice())).collect();
    parts.push(("Inhibition, %".into(), Shades::Inhibition, response));
    for (at, (surface, _)) in picture.surfaces().into_iter().enumerate().filter(|(_, (_, scored))| *scored) {
        let maps = picture.scored(at).map(|(panel, own)| (panel, own.scores.as_slice())).collect();
        let gist = surface.summary.split(';').next().unwrap_or_default();
        let name = format!("Synergy by {}, percentage points: {gist}", surface.name);
        parts.push((name, Shades::Synergy, maps));
    }
    let rows = |count: usize| count.div_ceil(across);
    let height: usize = parts.iter().map(|(_, _, maps)| HEAD + PANEL[1] * rows(maps.len())).sum();
    let alone = if picture.alone.is_empty() { 0 } else { HEAD + 240 * rows(picture.alone.len()) };
    let mut html = open([across * PANEL[0] + 20, 50 + height + alone], title, note);
    let mut top = 50;
    for (name, shades, maps) in &parts {
        html.raw("<text class=title x=12 y=").whole(top + 16).raw(">").text(name).raw("</text>");
        top += HEAD;
        for (at, (panel, values)) in maps.iter().enumerate() {
            html.raw("<g transform=\"translate(").whole(12 + at % across * PANEL[0]).raw(" ");
            html.whole(top + at / across * PANEL[1]).raw(")\"><title>");
            let what = name.split(':').next().unwrap_or_default();
            html.text(&format!("{what}, {}", panel.name)).raw("</title><text class=name y=12>");
            html.text(&clipped(&panel.name, 52)).raw("</text><g transform=\"translate(0 20)\">");
            matrix_chart(&mut html, &panel.matrix, values, *shades);
            html.raw("</g></g>");
        }
        top += PANEL[1] * rows(maps.len());
    }
    for (at, drug) in picture.alone.iter().enumerate() {
        html.raw("<g transform=\"translate(").whole(12 + at % across * PANEL[0]).raw(" ");
        html.whole(top + HEAD + at / across * 240).raw(")\">");
        dose_chart(&mut html, drug);
        html.raw("</g>");
    }
    close(html)
}

/// A plate as the text of an SVG file.
pub fn plate_svg(title: &str, note: &str, picture: &PlatePicture) -> String {
    let [width, height] = plate_size(picture);
    let mut html = open([width.max(240) + 24, height + 84], title, note);
    html.raw("<g transform=\"translate(12 46)\">");
    plate_chart(&mut html, picture);
    html.raw("</g>");
    if let Some([low, high]) = plate_range(&picture.wells) {
        let ends = [low, high].map(|end| significant(Some(end)).unwrap_or_default());
        html.raw("<text x=12 y=").whole(height + 68).raw(">");
        html.text(&format!(
            "{}: {} or less is lightest, {} or more is darkest",
            picture.measure, ends[0], ends[1]
        ));
        html.raw("</text>");
    }
    close(html)
}

/// Opens the file and writes its head; the picture moves down by the lines of the note.
fn open([width, height]: [usize; 2], title: &str, note: &str) -> Html {
    // Letters of 12 pixels are about half as wide.
    let lines = lines(note, (width - 24) / 6);
    let more = 16 * lines.len().saturating_sub(1);
    let mut html = Html::new();
    html.raw("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ")
        .whole(width)
        .raw(" ")
        .whole(height + more);
    html.raw("\" width=\"")
        .whole(width)
        .raw("\" height=\"")
        .whole(height + more)
        .raw("\" role=\"img\">\n<title>");
    html.text(title).raw("</title>\n<style>").raw(STYLE);
    html.raw("</style>\n<rect width=\"100%\" height=\"100%\" class=\"paper\"/>");
    html.raw("<text class=\"title\" x=\"12\" y=\"20\">").text(title).raw("</text>");
    for (at, line) in lines.iter().enumerate() {
        html.raw("<text x=\"12\" y=\"").whole(37 + 16 * at).raw("\">").text(line).raw("</text>");
    }
    html.raw("<g transform=\"translate(0 ").whole(more).raw(")\">");
    html
}

/// A text in lines of at most `most` characters, unless a word is longer.
fn lines(text: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut().filter(|line| line.chars().count() + word.chars().count() < most) {
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

fn close(mut html: Html) -> String {
    html.raw("</g></svg>\n");
    quoted(&html.finish())
}

/// Adds quotation marks to attributes; pages omit them, but XML requires them.
fn quoted(markup: &str) -> String {
    let mut text = String::with_capacity(markup.len() * 11 / 10);
    let mut rest = markup;
    while let Some(start) = rest.find('<') {
        let (before, tag) = rest.split_at(start);
        let end = tag.find('>').map_or(tag.len(), |end| end + 1);
        text.push_str(before);
        quote_tag(&tag[..end], &mut text);
        rest = &tag[end..];
    }
    text.push_str(rest);
    text
}

fn quote_tag(tag: &str, text: &mut String) {
    let mut rest = tag;
    while let Some(equals) = rest.find('=') {
        let (name, value) = rest.split_at(equals + 1);
        text.push_str(name);
        let end = match value.strip_prefix('"') {
            Some(inner) => inner.find('"').map_or(value.len(), |end| end + 2),
            None => value.find([' ', '>']).unwrap_or(value.len()),
        };
        let (value, after) = value.split_at(end);
        if value.starts_with('"') {
            text.push_str(value);
        } else {
            text.push('"');
            text.push_str(value);
            text.push('"');
        }
        rest = after;
    }
    text.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_notes_are_broken_into_lines() {
        assert_eq!(lines("IC50 0.3 µM · poor fit", 12), ["IC50 0.3 µM", "· poor fit"]);
        assert!(lines("", 12).is_empty());
        let svg = curve_svg("A", &"word ".repeat(30), &DosePicture::default());
        assert!(svg.contains("viewBox=\"0 0 344 294\"") && svg.contains("translate(0 32)"), "{svg}");
    }

    #[test]
    fn attributes_are_quoted_and_texts_stay() {
        assert_eq!(quoted("<a b=c d=\"e=f\" /><t>x=y</t>"), "<a b=\"c\" d=\"e=f\" /><t>x=y</t>");
        assert_eq!(quoted("<path class=x d=\"M1 2\"/>a<b"), "<path class=\"x\" d=\"M1 2\"/>a<b");
    }
}
