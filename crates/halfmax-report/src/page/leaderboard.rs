//! The comparison of models.

use super::{close_page, open_chapter, remark};
use crate::chart::{IntervalChart, IntervalRow, Look};
use crate::context::{Context, named};
use crate::data::{Better, Estimate, Leaderboard, Metric, MetricRank, ModelScores, Standing};
use crate::html::Html;
use crate::number::fixed;
use crate::table;

/// Decimals of scores.
const DECIMALS: usize = 3;

pub(super) fn write(html: &mut Html, context: &Context<'_>) {
    let Some(board) = &context.report.leaderboard else { return };
    open_chapter(html, "models", "Models");
    charts(html, board);
    scores(html, board);
    if !board.comparisons.is_empty() {
        html.raw("<h3>Comparisons</h3><ul>");
        for comparison in &board.comparisons {
            html.raw("<li>").text(comparison);
        }
        html.raw("</ul>");
    }
    for note in &board.notes {
        remark(html, note);
    }
    close_page(html);
}

fn charts(html: &mut Html, board: &Leaderboard) {
    let chief = |metric: &&(usize, &Metric)| metric.1.rank == MetricRank::Chief;
    html.raw("<div class=charts>");
    for (index, metric) in board.metrics.iter().enumerate().collect::<Vec<_>>().iter().filter(chief) {
        let rows: Vec<IntervalRow<'_>> = board.models.iter().map(|model| row(model, *index)).collect();
        let title = heading(metric);
        html.raw("<figure><figcaption>").text(&title).raw("</figcaption>");
        let reference = metric.ceiling.map(|ceiling| ("ceiling", ceiling));
        IntervalChart { title: &title, rows: &rows, reference, decimals: DECIMALS }.draw(html);
        html.raw("</figure>");
    }
    html.raw(
        "</div><p class=note>Filled dots are models, hollow dots are naive predictors; lines are 95 % intervals.</p>",
    );
}

/// A model's row in a chart of a metric.
pub(super) fn row(model: &ModelScores, metric: usize) -> IntervalRow<'_> {
    let look = if model.standing == Standing::Naive { Look::Hollow } else { Look::Accent };
    IntervalRow { label: named(&model.name), estimate: model.scores.get(metric).copied().flatten(), look }
}

/// "RMSE (lower is better)".
fn heading(metric: &Metric) -> String {
    let better = match metric.better {
        Better::Higher => "higher is better",
        Better::Lower => "lower is better",
    };
    format!("{} ({better})", named(&metric.name))
}

fn scores(html: &mut Html, board: &Leaderboard) {
    let headings: Vec<String> = board.metrics.iter().map(heading).collect();
    let mut columns = vec![table::words("model"), table::words("family")];
    columns.extend(headings.iter().map(|heading| table::numbers(heading)));
    columns.push(table::words("note"));
    table::open(html, None, "Scores with their 95 % intervals", &columns);
    for model in &board.models {
        html.raw("<tr><th scope=row>").text(named(&model.name)).raw("</th>");
        table::text(html, if model.standing == Standing::Naive { "naive predictor" } else { &model.family });
        for index in 0..board.metrics.len() {
            score(html, model.scores.get(index).copied().flatten());
        }
        html.raw("<td>").text(&model.note);
    }
    ceilings(html, board);
    table::close(html);
}

fn score(html: &mut Html, estimate: Option<Estimate>) {
    table::number(html, fixed(estimate.map(|estimate| estimate.value), DECIMALS));
    let ends = estimate.and_then(|estimate| estimate.interval);
    let ends = ends.and_then(|(low, high)| fixed(Some(low), DECIMALS).zip(fixed(Some(high), DECIMALS)));
    if let Some((low, high)) = ends {
        html.raw(" <small>").text(&format!("{low} to {high}")).raw("</small>");
    }
}

/// The last row: the scores of a repeated experiment.
fn ceilings(html: &mut Html, board: &Leaderboard) {
    if board.metrics.iter().all(|metric| metric.ceiling.is_none()) {
        return;
    }
    html.raw("<tfoot><tr><th scope=row>ceiling</th><td>repeated experiment");
    for metric in &board.metrics {
        table::number(html, fixed(metric.ceiling, DECIMALS));
    }
    html.raw("<td></tfoot>");
}
