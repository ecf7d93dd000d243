//! How far a lab is, on standard error: one line that moves on a terminal, else a line a step.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

/// The line. Nothing is said where answers are JSON.
pub struct Progress {
    bar: Option<ProgressBar>,
    silent: bool,
}

impl Progress {
    pub fn new(json: bool) -> Self {
        let bar = (!json && io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { bar, silent: json }
    }
    /// What begins.
    pub fn step(&self, words: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(words.to_owned()),
            None => self.line(&format!("{words} …")),
        }
    }
    /// What is done, and stays on the screen.
    pub fn done(&self, words: &str) {
        match &self.bar {
            Some(bar) => bar.println(words),
            None => self.line(words),
        }
    }

    fn line(&self, words: &str) {
        if !self.silent {
            let _ = writeln!(io::stderr(), "{words}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
