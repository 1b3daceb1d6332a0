//! The flags of a run, kept with it, so that a resume needs none of them typed again.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::manifest::{Overrides, OwnOutput, Processes};
use crate::plan::{self, KeyField, OutputTarget, Plan};

/// What the journal keeps as JSON. Fields may be added; one that is missing changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// `-p`
    pub params: Vec<String>,
    /// `--set`
    pub set: Vec<String>,
    /// `--processes`: a number, or 0 for `auto`.
    pub processes: Option<usize>,
    /// `--threads`
    pub threads: Option<usize>,
    /// `--coroutines`
    pub coroutines: Option<usize>,
    /// `-j 1`
    pub serial: bool,
    /// `--limit`
    pub limit: Option<u64>,
    /// `-o`: absolute, or `-`.
    pub output: Option<PathBuf>,
    /// `-O`
    pub overwrite: bool,
    /// `-k`
    pub ordered: bool,
    /// `--lua-path`: absolute.
    pub lua_path: Option<String>,
    /// `tasks.key` as it was settled.
    pub key: Option<String>,
    /// The file that rows were written to.
    pub output_file: Option<PathBuf>,
}

impl Settings {
    /// Of the flags of a new run, typed in the folder `cwd`.
    pub fn of(flags: &Overrides, cwd: &Path) -> Self {
        Settings {
            params: flags.params.clone(),
            set: flags.set.clone(),
            processes: flags.processes.map(|processes| match processes {
                Processes::Auto => 0,
                Processes::Count(count) => count,
            }),
            threads: flags.threads,
            coroutines: flags.coroutines,
            serial: flags.serial,
            limit: flags.limit,
            output: flags.output.as_ref().map(|path| match path.to_str() {
                Some("-") => path.clone(),
                _ => plan::absolute(cwd, path),
            }),
            overwrite: flags.overwrite,
            ordered: flags.ordered,
            lua_path: flags.lua_path.as_ref().map(|path| plan::absolute_lua_path(cwd, path).to_string()),
            key: None,
            output_file: None,
        }
    }

    /// From a journal; one that cannot be read has none.
    pub fn read(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_default()
    }

    /// For a journal.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("settings are plain data")
    }

    /// With the flags of a resume, which go before, typed in the folder `cwd`.
    pub fn with(mut self, flags: &Overrides, cwd: &Path) -> Self {
        replace(&mut self.params, &flags.params);
        replace(&mut self.set, &flags.set);
        if flags.serial {
            (self.processes, self.threads, self.coroutines, self.serial) = (None, None, None, true);
        }
        if flags.processes.is_some() || flags.threads.is_some() || flags.coroutines.is_some() {
            self.serial = false;
        }
        let Settings { processes, threads, coroutines, lua_path, .. } = Settings::of(flags, cwd);
        self.processes = processes.or(self.processes);
        self.threads = threads.or(self.threads);
        self.coroutines = coroutines.or(self.coroutines);
        self.limit = flags.limit.or(self.limit);
        self.ordered |= flags.ordered;
        self.lua_path = lua_path.or(self.lua_path);
        self
    }

    /// What flags of this session change of them, in words.
    pub fn differences(&self, now: &Settings) -> Vec<String> {
        let mut changes: Vec<String> = Vec::new();
        let new = now.set.iter().filter(|pair| !self.set.contains(pair));
        changes.extend(new.map(|pair| format!("--set {pair} is new")));
        if self.limit != now.limit {
            let shown =
                |limit: Option<u64>| limit.map_or_else(|| "not given".to_owned(), |limit| limit.to_string());
            changes.push(format!("--limit was {}, is {}", shown(self.limit), shown(now.limit)));
        }
        if self.lua_path != now.lua_path {
            let shown = |path: &Option<String>| path.clone().unwrap_or_else(|| "not given".to_owned());
            changes.push(format!("--lua-path was {}, is {}", shown(&self.lua_path), shown(&now.lua_path)));
        }
        changes
    }

    /// With what the plan made of them.
    pub fn settled(mut self, plan: &Plan) -> Self {
        self.key = key(plan);
        self.output_file = output_file(plan);
        self
    }

    /// As flags again. `own`: what the run has written to already.
    pub fn overrides(&self, own: Option<OwnOutput>) -> Overrides {
        Overrides {
            params: self.params.clone(),
            set: self.set.clone(),
            processes: self.processes.map(|count| match count {
                0 => Processes::Auto,
                count => Processes::Count(count),
            }),
            threads: self.threads,
            coroutines: self.coroutines,
            serial: self.serial,
            limit: self.limit,
            output: self.output.clone(),
            overwrite: self.overwrite,
            ordered: self.ordered,
            lua_path: self.lua_path.as_ref().and_then(|path| path.parse().ok()),
            own_output: own,
        }
    }
}

/// `tasks.key` in words.
pub fn key(plan: &Plan) -> Option<String> {
    plan.tasks.key.as_ref().map(|key| match key {
        KeyField::Args => "args".to_owned(),
        KeyField::Field(name) => name.clone(),
    })
}

/// The file of the output.
pub fn output_file(plan: &Plan) -> Option<PathBuf> {
    match &plan.output.as_ref()?.target {
        OutputTarget::File(path) => Some(path.clone()),
        OutputTarget::Stdout => None,
    }
}

/// A later `name=value` takes the place of an earlier one of the same name.
fn replace(kept: &mut Vec<String>, new: &[String]) {
    let name = |pair: &str| pair.split_once('=').map_or(pair, |(name, _)| name).trim().to_owned();
    for pair in new {
        kept.retain(|known| name(known) != name(pair));
        kept.push(pair.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags() -> Overrides {
        Overrides {
            params: vec!["n=1".into(), "m=2".into()],
            processes: Some(Processes::Auto),
            output: Some("rows.csv".into()),
            limit: Some(9),
            lua_path: Some("vendor/?.lua;;".parse().expect("a path")),
            ..Overrides::default()
        }
    }

    #[test]
    fn flags_come_back_as_they_were_from_any_folder() {
        let kept = Settings::read(&Settings::of(&flags(), Path::new("/home/ada")).to_json());
        let back = kept.overrides(None);
        assert_eq!((back.params, back.processes, back.limit), (flags().params, flags().processes, Some(9)));
        assert_eq!(back.output, Some("/home/ada/rows.csv".into()));
        assert_eq!(back.lua_path, Some("/home/ada/vendor/?.lua;;".parse().expect("a path")));
        let stdout = Overrides { output: Some("-".into()), ..Overrides::default() };
        assert_eq!(Settings::of(&stdout, Path::new("/home")).output, Some("-".into()));
    }

    #[test]
    fn flags_of_a_resume_go_before() {
        let kept = Settings::of(&flags(), Path::new("/"));
        let new = Overrides { params: vec!["n=3".into()], threads: Some(4), ..Overrides::default() };
        let both = kept.clone().with(&new, Path::new("/srv"));
        assert_eq!(both.params, ["m=2", "n=3"]);
        assert_eq!((both.processes, both.threads, both.limit), (Some(0), Some(4), Some(9)));
        assert_eq!(both.lua_path.as_deref(), Some("/vendor/?.lua;;"));
        let other = Overrides { lua_path: Some("x/?.lua".parse().expect("a path")), ..Overrides::default() };
        let moved = both.clone().with(&other, Path::new("/srv"));
        assert_eq!(moved.lua_path.as_deref(), Some("/srv/x/?.lua"));
        assert_eq!(both.differences(&moved), ["--lua-path was /vendor/?.lua;;, is /srv/x/?.lua"]);
        assert!(both.differences(&both).is_empty());
        let serial = both.with(&Overrides { serial: true, ..Overrides::default() }, Path::new("/"));
        assert!(serial.serial && serial.processes.is_none() && serial.threads.is_none());
        let wide = serial.with(
            &Overrides { processes: Some(Processes::Count(2)), ..Overrides::default() },
            Path::new("/"),
        );
        assert!(!wide.serial && wide.processes == Some(2));
    }

    #[test]
    fn settings_of_another_version_are_read_as_far_as_they_are_known() {
        assert_eq!(Settings::read(r#"{"threads":3,"colour":"red"}"#).threads, Some(3));
        assert_eq!(Settings::read("not json"), Settings::default());
    }
}
