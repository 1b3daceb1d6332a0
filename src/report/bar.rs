//! The bar on a terminal, and the lines of long tasks under it.

use std::io;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

const WIDTH: usize = 30;

/// One line for the run and some for tasks, each cut to the width of the terminal.
#[derive(Debug)]
pub(super) struct Bar {
    all: MultiProgress,
    lines: Vec<ProgressBar>,
}

impl Bar {
    /// On standard error, drawn twenty times a second at most.
    pub(super) fn on_stderr() -> Self {
        Bar::on(ProgressDrawTarget::stderr_with_hz(20))
    }

    fn on(target: ProgressDrawTarget) -> Self {
        Bar { all: MultiProgress::with_draw_target(target), lines: Vec::new() }
    }

    /// Draws `first` and the lines under it.
    pub(super) fn show(&mut self, first: String, under: Vec<String>) {
        let wanted = 1 + under.len();
        for gone in self.lines.drain(wanted.min(self.lines.len())..) {
            self.all.remove(&gone);
        }
        while self.lines.len() < wanted {
            self.lines.push(self.all.add(line()));
        }
        let under = under.into_iter().map(|text| format!("{:12} {text}", ""));
        for (bar, text) in self.lines.iter().zip(std::iter::once(first).chain(under)) {
            bar.set_message(text);
        }
    }

    /// Takes the bar away until it is shown again, so that lines can be written. `suspend` would do it
    /// in one, but panics on a terminal that is gone.
    pub(super) fn hide(&self) -> io::Result<()> {
        self.all.clear()
    }

    /// Takes the bar away for good.
    pub(super) fn end(&mut self) {
        for bar in self.lines.drain(..) {
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
        // What cannot be cleared cannot be seen either.
        let _ = self.all.clear();
    }
}

fn line() -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_msg}").expect("the template is valid");
    // The target is that of the `MultiProgress` as soon as the line is added.
    ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()).with_style(style)
}

/// `━━━━━━━━━━━━╸─────────────────`; nothing when the share is unknown.
pub(super) fn drawn(fraction: Option<f64>) -> String {
    let Some(fraction) = fraction else { return String::new() };
    let halves = (fraction.clamp(0.0, 1.0) * (WIDTH * 2) as f64) as usize;
    let mut text = "━".repeat(halves / 2);
    if halves % 2 == 1 {
        text.push('╸');
    }
    text.push_str(&"─".repeat(WIDTH - halves.div_ceil(2)));
    text.push_str("  ");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::TermLike;
    use std::sync::atomic::{AtomicU16, Ordering};
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Debug, Default)]
    struct Screen {
        width: Arc<AtomicU16>,
        text: Arc<Mutex<String>>,
        closed: bool,
    }

    impl Screen {
        fn put(&self, text: &str) -> io::Result<()> {
            if self.closed {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            self.text.lock().expect("not poisoned").push_str(text);
            Ok(())
        }
    }

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            self.width.load(Ordering::Relaxed)
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            self.put("")
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            self.put("")
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            self.put("")
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            self.put("")
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.put(&format!("{text}\n"))
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.put(text)
        }
        fn clear_line(&self) -> io::Result<()> {
            self.put("")
        }
        fn flush(&self) -> io::Result<()> {
            self.put("")
        }
    }

    #[test]
    fn any_width_and_any_resize_is_drawn() {
        for closed in [false, true] {
            let screen = Screen { closed, ..Screen::default() };
            let target = ProgressDrawTarget::term_like_with_hz(Box::new(screen.clone()), 255);
            let mut bar = Bar::on(target);
            for (step, width) in [80, 1, 0, 2, 13, 200, 1, u16::MAX, 40].into_iter().enumerate() {
                screen.width.store(width, Ordering::Relaxed);
                let tasks = vec!["copy big.iso  43% 漢字".to_owned(); step % 4];
                bar.show(format!("{}812/1,200  68% \x1b[31m漢\x1b[0m", drawn(Some(0.4))), tasks);
                assert_eq!(bar.hide().is_err(), closed);
            }
            bar.end();
            let text = screen.text.lock().expect("not poisoned");
            assert_eq!(text.contains("812/1,200"), !closed);
        }
    }

    #[test]
    fn the_bar_has_one_width_at_every_share() {
        for step in 0..=1_000 {
            assert_eq!(drawn(Some(f64::from(step) / 1_000.0)).chars().count(), WIDTH + 2);
        }
        assert_eq!(drawn(Some(f64::NAN)).chars().count(), WIDTH + 2);
        assert_eq!(drawn(None), "");
    }
}
