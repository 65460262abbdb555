//! Responses as a block of rows × columns.

use ndarray::{Array2, Zip};

use crate::TrainView;

/// The responses of a view as a block. Repeated measurements are added up by weight. Each family chooses which entities or
/// combinations are its rows and columns.
///
/// ```
/// use halfmax_core::{EntityTable, ResponseBlock, Responses, Screen, Side};
/// let tables = vec![EntityTable::new(["A549"], "cell line")?, EntityTable::new(["SN-38", "AZD1775"], "drug")?];
/// let responses = Responses::new(vec![vec![0, 0], vec![1, 1]], vec![1.0, 3.0], None)?;
/// let screen = Screen::new("LN_IC50", tables, vec![Side::cell_line(0), Side::drug(1)], responses)?;
/// let block = ResponseBlock::new(&screen.all(), (1, 2), |_, row| [0, screen.responses.side(1)[row] as usize]);
/// assert_eq!(block.mean(), 2.0);
/// let (means, weights) = block.into_means();
/// assert_eq!((means, weights), (ndarray::array![[0.0, 2.0]], ndarray::array![[0.0, 2.0]]));
/// # Ok::<(), halfmax_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ResponseBlock {
    /// For every place, the weighted sum of its responses, in the unit of the target.
    pub sums: Array2<f64>,
    /// For every place, the sum of the weights; 0 where nothing was measured.
    pub weights: Array2<f64>,
}

impl ResponseBlock {
    /// The block of a view. `place` returns the place of a response. Its arguments are the response's position in the
    /// view and its row in the screen.
    ///
    /// # Panics
    /// If a place is outside the shape.
    pub fn new(train: &TrainView, shape: (usize, usize), place: impl Fn(usize, usize) -> [usize; 2]) -> Self {
        let (mut sums, mut weights) = (Array2::zeros(shape), Array2::zeros(shape));
        let responses = &train.screen.responses;
        for (at, row) in train.rows.iter().enumerate() {
            let place = place(at, *row);
            let weight = f64::from(responses.weight(*row));
            sums[place] += weight * f64::from(responses.values()[*row]);
            weights[place] += weight;
        }
        Self { sums, weights }
    }

    /// The weighted mean of all responses.
    pub fn mean(&self) -> f64 {
        self.sums.sum() / self.weights.sum()
    }

    /// The weighted mean of every place (0 where nothing was measured), and the weights.
    pub fn into_means(self) -> (Array2<f64>, Array2<f64>) {
        let Self { sums: mut means, weights } = self;
        Zip::from(&mut means)
            .and(&weights)
            .for_each(|mean, weight| *mean = if *weight > 0.0 { *mean / weight } else { 0.0 });
        (means, weights)
    }
}
