//! Library modules of the scripts.
