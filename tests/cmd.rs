//! Sessions on the command line: each `tests/cmd/*/*.trycmd` and `*.toml`, one level deep, so that the manifests that they
//! use are not taken for cases; and the README.
//!
//! `TRYCMD=overwrite cargo test --test cmd` writes what is said now; put the `[..]` back after that.

#[test]
fn sessions() {
    let cases = trycmd::TestCases::new();
    cases.case("tests/cmd/*/*.trycmd").case("tests/cmd/*/*.toml");
    cases.env("NO_COLOR", "1");
}
