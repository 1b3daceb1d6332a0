//! Laws and cases of all sources.
