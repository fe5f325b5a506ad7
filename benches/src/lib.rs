//! Criterion micro-benchmarks (`benches/benches/`). Whole-system comparisons: `basalt-bench compare`
//! (docs/benchmarking.md).
