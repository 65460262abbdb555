//! Cards with pictures that readers can search and sort.

use super::{matrix, panels};
use crate::anchor::{Anchor, Anchors};
use crate::chart::{dose_chart, open_dose_svg, plate_chart, plate_range, plate_size};
use crate::context::named;
use crate::html::Html;
use crate::number::{count, significant};
use crate::pictures::{Card, Gallery, Measure, Picture, PlatePicture};
use crate::quality::Tally;

/// The fewest cards for a search field.
const SEARCHED: usize = 3;

/// Draws the gallery, unless it has no cards.
pub(super) fn draw_gallery(html: &mut Html, gallery: &Gallery, anchors: &mut Anchors) {
    if gallery.cards.is_empty() {
        return;
    }
    let list = anchors.claim("g", &gallery.noun);
    if gallery.cards.len() >= SEARCHED {
        controls(html, gallery, &list, anchors);
    }
    legends(html, gallery);
    let all = |kind: fn(&Picture) -> bool| gallery.cards.iter().all(|card| kind(&card.picture));
    html.raw(
        match (
            all(|picture| matches!(picture, Picture::Dose(_))),
            all(|picture| matches!(picture, Picture::Plate(_))),
        ) {
            (true, _) => "<ol class=gallery",
            (_, true) => "<ol class=\"gallery wide plates\"",
            _ => "<ol class=\"gallery wide\"",
        },
    );
    html.id(&list).raw(">");
    let places = places(gallery);
    for (at, card) in gallery.cards.iter().enumerate() {
        draw_card(html, card, &places[at]);
    }
    html.raw("</ol>");
}

/// The position of each card in each of the other orders.
fn places(gallery: &Gallery) -> Vec<Vec<usize>> {
    let last = gallery.cards.len();
    let mut places = vec![vec![last; gallery.orders.len()]; last];
    for (number, order) in gallery.orders.iter().enumerate() {
        for (place, card) in order.cards.iter().enumerate() {
            if let Some(own) = places.get_mut(*card).filter(|own| own[number] == last) {
                own[number] = place;
            }
        }
    }
    places
}

/// The search field and the choice of orders. Hidden without script.
fn controls(html: &mut Html, gallery: &Gallery, list: &Anchor, anchors: &mut Anchors) {
    let noun = named(&gallery.noun);
    let (field, choice) = (anchors.claim("f", noun), anchors.claim("o", noun));
    html.raw("<p class=search hidden").attr("data-gallery", list.as_str()).attr("data-noun", noun);
    html.raw("><label").attr("for", field.as_str()).raw(">Search ").text(noun);
    html.raw("</label> <input type=search autocomplete=off").id(&field).raw("> ");
    if !gallery.orders.is_empty() {
        html.raw("<label").attr("for", choice.as_str()).raw(">Order</label> <select").id(&choice);
        html.raw("><option>").text(named(&gallery.order));
        for order in &gallery.orders {
            html.raw("<option>").text(named(&order.name));
        }
        html.raw("</select> ");
    }
    html.raw("<span role=status></span></p>");
}

fn draw_card(html: &mut Html, card: &Card, places: &[usize]) {
    html.raw("<li");
    if !places.is_empty() {
        let places: Vec<String> = places.iter().map(usize::to_string).collect();
        html.attr("data-o", &places.join(" "));
    }
    html.raw("><h3>").text(named(&card.title)).raw("</h3>");
    if !card.subtitle.trim().is_empty() {
        html.raw("<p class=sub>").text(&card.subtitle).raw("</p>");
    }
    flags(html, &card.flags);
    match &card.picture {
        Picture::Dose(picture) => {
            open_dose_svg(html, picture);
            dose_chart(html, picture);
            html.raw("</svg>");
            measures(html, &card.measures);
        }
        Picture::Matrix(picture) => {
            measures(html, &card.measures);
            matrix::draw(html, picture);
        }
        Picture::Panels(picture) => {
            measures(html, &card.measures);
            panels::draw(html, picture);
        }
        Picture::Plate(picture) => {
            measures(html, &card.measures);
            draw_plate(html, picture);
        }
    }
    html.raw("\n");
}

/// The flags of a card, a few words each.
fn flags(html: &mut Html, flags: &[String]) {
    if flags.is_empty() {
        return;
    }
    html.raw("<p class=flags>");
    for (at, flag) in flags.iter().enumerate() {
        html.raw(if at > 0 { " <b>" } else { "<b>" }).text(flag).raw("</b>");
    }
    html.raw("</p>");
}

fn measures(html: &mut Html, measures: &[Measure]) {
    if measures.is_empty() {
        return;
    }
    html.raw("<dl class=facts>");
    for Measure { name, value, interval } in measures {
        html.raw("<div><dt>").text(name).raw("</dt><dd>").text(value);
        if !interval.trim().is_empty() {
            html.raw(" <small>").text(interval).raw("</small>");
        }
        html.raw("</dd></div>");
    }
    html.raw("</dl>");
}

fn draw_plate(html: &mut Html, picture: &PlatePicture) {
    let [width, height] = plate_size(picture);
    html.raw("<svg class=plate role=img viewBox=\"0 0 ").whole(width).raw(" ").whole(height).raw("\"");
    html.raw(" width=").whole(width).raw(" height=").whole(height).raw("><title>");
    html.text(&picture.description).raw("</title>");
    plate_chart(html, picture);
    html.raw("</svg>");
    let Some([low, high]) = plate_range(&picture.wells) else { return };
    html.raw("<p class=scale><span>").text(named(&picture.measure)).raw(" ");
    html.number(significant(Some(low))).raw(" or less</span>");
    shades(html, 8);
    html.raw("<span>").number(significant(Some(high))).raw(" or more</span></p>");
}

/// The shades of a scale from light to dark.
fn shades(html: &mut Html, count: usize) {
    html.raw("<svg width=").whole(count * 12).raw(" height=10 aria-hidden=true>");
    for at in 0..count {
        html.raw("<rect class=h").whole(at + 1).raw(" x=").whole(at * 12).raw(" width=12 height=10 />");
    }
    html.raw("</svg>");
}

/// The meaning of the marks in the pictures.
fn legends(html: &mut Html, gallery: &Gallery) {
    let any = |kind: fn(&Picture) -> bool| gallery.cards.iter().any(|card| kind(&card.picture));
    if any(|picture| matches!(picture, Picture::Dose(_) | Picture::Matrix(_) | Picture::Panels(_))) {
        html.raw("<p class=legend>");
        let curves = any(|picture| matches!(picture, Picture::Dose(_)));
        let marks = [
            ("<path class=reading d=\"M12 8h0\"/>", "reading"),
            ("<path class=beyond d=\"M8 12l8 0l-4-7z\"/>", "beyond the axis"),
            ("<path class=trace d=\"M0 4L24 12\"/>", "fitted curve"),
            ("<path class=out d=\"M8.5 4.5l7 7m0-7l-7 7\"/>", "left out as an outlier"),
            ("<path class=band d=\"M0 3h24v10h-24z\"/>", "its interval at each dose"),
            (
                "<path class=mark d=\"M1 8H23M1 4v8M23 4v8\"/><path class=point d=\"M12 3l5 5l-5 5l-5-5z\"/>",
                "IC50 with its interval; an arrow if the interval is open or leaves the picture",
            ),
            ("<path class=plateau d=\"M0 8H24\"/>", "plateau"),
        ];
        // Pictures of single drugs have no band and no mark.
        for (drawing, meaning) in marks.into_iter().take(if curves { 7 } else { 3 }) {
            html.raw("<span><svg class=key width=24 height=16 aria-hidden=true>").raw(drawing);
            html.raw("</svg>").raw(meaning).raw("</span> ");
        }
        html.raw("</p>");
    }
    if any(|picture| matches!(picture, Picture::Matrix(_) | Picture::Panels(_))) {
        matrix::legend(html);
    }
    if any(|picture| matches!(picture, Picture::Plate(_))) {
        html.raw("<p class=legend>");
        for (drawing, meaning) in [
            ("<path class=control d=\"M7.5 8a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0\"/>", "untreated control"),
            ("<path class=control d=\"M7 8h10\"/>", "control without signal"),
            ("<path class=out d=\"M8 4l8 8m0-8l-8 8\"/>", "left out"),
            ("<rect class=edge x=2 y=2 width=20 height=12 />", "the outermost wells lie outside this line"),
        ] {
            html.raw("<span><svg class=key width=24 height=16 aria-hidden=true>").raw(drawing);
            html.raw("</svg>").raw(meaning).raw("</span> ");
        }
        html.raw("</p>");
    }
}

/// The number of cards with each flag, with a button that shows these cards. The button is hidden without script.
pub(super) fn draw_tally(html: &mut Html, tallies: &[Tally]) {
    if tallies.is_empty() {
        return;
    }
    html.raw("<dl class=tally>");
    for Tally { flag, meaning, count: own } in tallies {
        html.raw("<div><dt><span class=n>").text(&count(*own)).raw("</span> <b>").text(flag).raw("</b> ");
        html.raw("<button type=button hidden")
            .attr("data-find", flag)
            .attr("aria-label", &format!("show {flag}"));
        html.raw(">show</button></dt><dd>").text(meaning).raw("</dd></div>");
    }
    html.raw("</dl>");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pictures::{DosePicture, GalleryOrder};

    fn gallery(cards: usize) -> Gallery {
        let card = |at: usize| Card {
            title: format!("<{at}>"),
            subtitle: String::new(),
            flags: vec!["poor fit".into()],
            picture: Picture::Dose(DosePicture::default()),
            measures: vec![Measure { name: "IC50".into(), value: "1 µM".into(), interval: String::new() }],
        };
        Gallery {
            noun: "curves".into(),
            order: "worst first".into(),
            orders: vec![GalleryOrder { name: "by name".into(), cards: vec![2, 0, 99, 0] }],
            cards: (0..cards).map(card).collect(),
        }
    }

    #[test]
    fn cards_know_their_places() {
        assert_eq!(places(&gallery(3)), [[1], [3], [0]]);
        let mut html = Html::new();
        draw_gallery(&mut html, &gallery(3), &mut Anchors::default());
        let html = html.finish();
        assert!(html.contains("data-gallery=\"g-curves\"") && html.contains("<li data-o=\"1\">"), "{html}");
        assert!(html.contains("<option>worst first<option>by name</select>"));
        assert!(html.contains("<h3>&lt;0&gt;</h3><p class=flags><b>poor fit</b></p>"), "{html}");
    }

    #[test]
    fn few_cards_are_not_searched_and_none_are_nothing() {
        let drawn = |cards: usize| {
            let mut html = Html::new();
            draw_gallery(&mut html, &gallery(cards), &mut Anchors::default());
            html.finish()
        };
        assert!(!drawn(2).contains("type=search"));
        assert!(drawn(0).is_empty());
    }
}
