//! The manifest and the `--set` flags in one space of offsets, so that every value knows where it was written.

use std::ops::Range;
use std::sync::Arc;

use super::diagnostic::{SourceText, Spot};

/// Texts one behind the other; the first is the manifest.
pub(super) struct Texts {
    all: Vec<(usize, Arc<SourceText>)>,
}

impl Texts {
    pub(super) fn new(manifest: &Arc<SourceText>) -> Self {
        Self { all: vec![(0, Arc::clone(manifest))] }
    }

    /// Adds a flag's text and gives the offset at which it begins.
    pub(super) fn add(&mut self, text: &Arc<SourceText>) -> usize {
        // One apart, so that an empty span at a text's end does not belong to the next.
        let base = self.all.last().map_or(0, |(base, text)| base + text.text.len() + 1);
        self.all.push((base, Arc::clone(text)));
        base
    }

    pub(super) fn manifest(&self) -> &Arc<SourceText> {
        &self.all[0].1
    }

    pub(super) fn spot(&self, span: Range<usize>) -> Spot {
        let index = self.all.partition_point(|(base, _)| *base <= span.start) - 1;
        let (base, source) = &self.all[index];
        Spot::new(source, span.start - base..span.end.saturating_sub(*base))
    }

    /// Whether this was written on the command line.
    pub(super) fn is_flag(&self, span: &Range<usize>) -> bool {
        self.all.get(1).is_some_and(|(base, _)| span.start >= *base)
    }
}
