//! Laws and cases of all formats.
