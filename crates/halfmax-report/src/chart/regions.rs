//! Regions of a grid where a function is at least some level: marching squares (Lorensen & Cline 1987, in the plane).

use std::collections::BTreeMap;

/// Values over a grid; NaN if missing.
pub(crate) struct Field<'a> {
    /// The positions of the columns and of the rows.
    pub places: [&'a [f64]; 2],
    /// The values, row after row.
    pub values: &'a [f64],
}

/// An edge of the grid with its empty border: horizontal (0) or vertical (1), and the node at which it starts.
type Edge = (u8, usize, usize);

impl Field<'_> {
    /// The value at a node of the grid with its border; minus infinity if missing.
    fn at(&self, [x, y]: [usize; 2], sign: f64) -> f64 {
        let [columns, rows] = self.places.map(<[f64]>::len);
        if x == 0 || y == 0 || x > columns || y > rows {
            return f64::NEG_INFINITY;
        }
        let value = self.values.get((y - 1) * columns + x - 1).map_or(f64::NAN, |value| sign * value);
        if value.is_finite() { value } else { f64::NEG_INFINITY }
    }

    fn place(&self, [x, y]: [usize; 2]) -> [f64; 2] {
        let inner = |places: &[f64], at: usize| {
            places.get(at.clamp(1, places.len().max(1)) - 1).copied().unwrap_or(0.0)
        };
        [inner(self.places[0], x), inner(self.places[1], y)]
    }

    /// The outlines of the region where `sign × value` is at least `level`, with holes in the opposite direction.
    /// Values are linear between two nodes. A region ends at the last node with a value.
    pub fn outlines(&self, level: f64, sign: f64) -> Vec<Vec<[f64; 2]>> {
        let mut next = self.steps(level, sign);
        let mut outlines = Vec::new();
        while let Some((first, mut edge)) = next.pop_first() {
            let mut outline = vec![self.crossing(first, level, sign)];
            while edge != first {
                outline.push(self.crossing(edge, level, sign));
                let Some(following) = next.remove(&edge) else { break };
                edge = following;
            }
            outline.dedup_by(|a, b| (a[0] - b[0]).abs() < 1e-9 && (a[1] - b[1]).abs() < 1e-9);
            if outline.len() > 2 {
                outlines.push(outline);
            }
        }
        outlines
    }

    /// For each edge at which an outline leaves a square, the edge at which it returns.
    fn steps(&self, level: f64, sign: f64) -> BTreeMap<Edge, Edge> {
        let [columns, rows] = self.places.map(<[f64]>::len);
        let mut next = BTreeMap::new();
        for (x, y) in (0..=rows).flat_map(|y| (0..=columns).map(move |x| (x, y))) {
            let corners = [[x, y], [x + 1, y], [x + 1, y + 1], [x, y + 1]];
            let values = corners.map(|corner| self.at(corner, sign));
            let inside = values.map(|value| value >= level);
            let edges: [Edge; 4] = [(0, x, y), (1, x + 1, y), (0, x, y + 1), (1, x, y)];
            // If two opposite corners are inside, the centre decides whether they are connected.
            let together = values.iter().sum::<f64>() / 4.0 >= level;
            let saddle = inside[0] == inside[2] && inside[1] == inside[3] && inside[0] != inside[1];
            for leaving in (0..4).filter(|at| inside[*at] && !inside[(at + 1) % 4]) {
                let ahead = (1..4).map(|step| (leaving + step) % 4);
                let back = |at: &usize| !inside[*at] && inside[(at + 1) % 4];
                let mut coming = ahead.filter(back);
                let entering = if saddle && !together { coming.next_back() } else { coming.next() };
                if let Some(entering) = entering {
                    next.insert(edges[leaving], edges[entering]);
                }
            }
        }
        next
    }

    /// The point at which an edge crosses the level.
    fn crossing(&self, (upright, x, y): Edge, level: f64, sign: f64) -> [f64; 2] {
        let nodes = [[x, y], if upright == 1 { [x, y + 1] } else { [x + 1, y] }];
        let values = nodes.map(|node| self.at(node, sign));
        let [from, to] = nodes.map(|node| self.place(node));
        let share = match values.map(f64::is_finite) {
            [true, true] if values[0] != values[1] => (level - values[0]) / (values[1] - values[0]),
            [false, true] => 1.0,
            _ => 0.0,
        };
        [0, 1].map(|axis| from[axis] + share * (to[axis] - from[axis]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The area within outlines, without holes.
    fn area(outlines: &[Vec<[f64; 2]>]) -> f64 {
        let cross = |outline: &Vec<[f64; 2]>| {
            let next = outline.iter().cycle().skip(1);
            outline.iter().zip(next).map(|(a, b)| a[0] * b[1] - a[1] * b[0]).sum::<f64>() / 2.0
        };
        outlines.iter().map(cross).sum()
    }

    #[test]
    fn a_slope_is_cut_where_it_reaches_the_level() {
        let (x, y) = ([0.0, 1.0, 3.0], [0.0, 2.0]);
        let values = [0.0, 10.0, 30.0, 0.0, 10.0, 30.0];
        let field = Field { places: [&x, &y], values: &values };
        assert!((area(&field.outlines(5.0, 1.0)) - 5.0).abs() < 1e-12);
        assert!((area(&field.outlines(20.0, 1.0)) - 2.0).abs() < 1e-12);
        assert!((area(&field.outlines(-40.0, 1.0)) - 6.0).abs() < 1e-12, "everywhere");
        assert!(field.outlines(31.0, 1.0).is_empty());
        // Where values are at most 5.
        assert!((area(&field.outlines(-5.0, -1.0)) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn holes_and_gaps_are_left_out() {
        let places: Vec<f64> = (0..5).map(f64::from).collect();
        let mut values = vec![10.0; 25];
        values[12] = 0.0;
        let field = |values: &[f64], level: f64| {
            area(&Field { places: [&places, &places], values }.outlines(level, 1.0))
        };
        // A diamond about the middle whose corners lie half way to the nodes beside it.
        assert!((field(&values, 5.0) - (16.0 - 0.5)).abs() < 1e-12);
        values[12] = f64::NAN;
        assert!((field(&values, 5.0) - (16.0 - 2.0)).abs() < 1e-12, "up to the nodes beside the gap");
        assert_eq!(field(&[f64::NAN; 25], 5.0), 0.0);
        assert_eq!(field(&[], 5.0), 0.0);
    }

    #[test]
    fn the_middle_of_a_saddle_decides() {
        let places = [0.0, 1.0];
        let outlines = |other: f64| {
            let values = [10.0, other, other, 10.0];
            Field { places: [&places, &places], values: &values }.outlines(5.0, 1.0)
        };
        assert_eq!(outlines(1.0).len(), 1, "the middle is 5.5: one region");
        assert_eq!(outlines(-1.0).len(), 2, "the middle is 4.5: two");
    }

    /// A circle's area, on a fine grid.
    #[test]
    fn a_disc_has_its_area() {
        let places: Vec<f64> = (0..81).map(|at| -2.0 + 0.05 * f64::from(at)).collect();
        let values: Vec<f64> =
            places.iter().flat_map(|y| places.iter().map(move |x| 1.0 - (x * x + y * y).sqrt())).collect();
        let field = Field { places: [&places, &places], values: &values };
        let outlines = field.outlines(0.0, 1.0);
        assert_eq!(outlines.len(), 1);
        assert!((area(&outlines) - std::f64::consts::PI).abs() < 0.01);
    }
}
