//! The median of several runs.

/// Of an even number of values the mean of the two in the middle.
pub fn median<R>(runs: &[R], value: impl Fn(&R) -> Option<f64>) -> Option<f64> {
    let mut values: Vec<_> = runs.iter().filter_map(value).collect();
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.get(values.len().checked_sub(1)? / 2)?, values[values.len() / 2]);
    Some(f64::midpoint(*low, high))
}
