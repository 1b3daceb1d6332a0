//! Every key that a manifest may have: what is built, and what is known but refused until it is.

/// The keys of one table.
pub(super) struct Keys {
    /// `worker`; empty for the top level.
    pub(super) table: &'static str,
    /// Understood.
    pub(super) built: &'static [&'static str],
    /// Part of the contract, refused so that nobody believes that it works.
    pub(super) later: &'static [&'static str],
}

pub(super) const TOP: Keys = Keys {
    table: "",
    built: &[
        "name",
        "description",
        "script",
        "code",
        "seed",
        "params",
        "meta",
        "env",
        "tasks",
        "worker",
        "handler",
        "output",
        "run",
    ],
    later: &["env_file", "secrets", "stage", "limits", "thresholds", "permissions"],
};

pub(super) const TASKS: Keys = Keys {
    table: "tasks",
    built: &[
        "script", "code", "items", "range", "product", "glob", "lines", "csv", "jsonl", "key", "shuffle",
        "skip", "limit",
    ],
    later: &["timeout"],
};

pub(super) const WORKER: Keys = Keys {
    table: "worker",
    built: &["script", "code", "command", "processes", "threads", "crash_limit"],
    later: &[
        "from",
        "coroutines",
        "timeout",
        "grace_period",
        "slow_timeout",
        "retries",
        "recycle",
        "memory",
        "limits",
    ],
};

pub(super) const HANDLER: Keys =
    Keys { table: "handler", built: &["script", "code", "ordered"], later: &["on_error", "timeout"] };

pub(super) const OUTPUT: Keys =
    Keys { table: "output", built: &["path", "format", "fields", "mode"], later: &[] };

pub(super) const RUN: Keys =
    Keys { table: "run", built: &["max_fail", "queue"], later: &["deadline", "journal", "keep"] };

/// Every table, to find where a key belongs that stands in the wrong one.
pub(super) const ALL: [&Keys; 6] = [&TOP, &TASKS, &WORKER, &HANDLER, &OUTPUT, &RUN];

impl Keys {
    /// `` `[worker]` ``, or `the manifest`.
    pub(super) fn shown(&self) -> String {
        if self.table.is_empty() { "the manifest".into() } else { format!("`[{}]`", self.table) }
    }

    /// `worker.threads`
    pub(super) fn path(&self, key: &str) -> String {
        if self.table.is_empty() { key.into() } else { format!("{}.{key}", self.table) }
    }
}
