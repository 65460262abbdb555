#![allow(missing_docs, clippy::all)]
use halfmax_core::*;
use halfmax_dose::*;
fn normal(seed: u64, at: u64) -> f64 {
    let uniform = |which: u64| {
        let bits = Seed::new(seed).derive(2 * at + which).value() >> 11;
        (bits as f64 + 0.5) / (1u64 << 53) as f64
    };
    (-2.0 * uniform(0).ln()).sqrt() * (std::f64::consts::TAU * uniform(1)).cos()
}
#[test]
fn dbg() {
    let mut all = vec![];
    for c in 0..200u64 {
        let t = TwoPhase {
            top: 1.0,
            bottom: 0.05,
            ec50: 0.05,
            hill: 1.5,
            plateau: 0.6,
            ec50_2: 10.0,
            hill_2: 1.5,
        };
        let mut d = vec![];
        let mut v = vec![];
        for i in 0..10 {
            for r in 0..3 {
                let x = 0.01 * 3.1623_f64.powi(i);
                d.push(x);
                let y = if c % 5 == 0 {
                    t.at(x)
                } else {
                    LogLogistic { top: 1.0, bottom: 0.1, ec50: 0.05 * (1.0 + (c % 7) as f64), hill: 1.2 }
                        .at(x)
                };
                v.push(y + 0.05 * normal(c, (i * 3 + r) as u64));
            }
        }
        all.push((d, v, (0..30).map(|i| i % 3).collect::<Vec<u32>>()));
    }
    let r: Vec<CurveReadings> = all
        .iter()
        .map(|(d, v, b)| CurveReadings { dose_um: &d, viability: &v, divisions: None, batch: Some(b) })
        .collect();
    let f = CurveParams::default().check().unwrap().fit_all(&r, &Silent).unwrap();
    for f in f.iter().step_by(5) {
        println!("{:?} p {:e} lof {:e} flags {} ", f.model, f.p_phases, f.p_lack_of_fit, f.flags);
    }
}
