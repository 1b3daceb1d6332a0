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
        "env_file",
        "secrets",
        "tasks",
        "worker",
        "handler",
        "output",
        "run",
        "limits",
    ],
    later: &["stage", "thresholds", "permissions"],
};

pub(super) const TASKS: Keys = Keys {
    table: "tasks",
    built: &[
        "script", "code", "items", "range", "product", "glob", "lines", "csv", "jsonl", "key", "shuffle",
        "skip", "limit", "timeout",
    ],
    later: &[],
};

pub(super) const WORKER: Keys = Keys {
    table: "worker",
    built: &[
        "script",
        "code",
        "command",
        "processes",
        "threads",
        "coroutines",
        "timeout",
        "grace_period",
        "slow_timeout",
        "retries",
        "crash_limit",
        "recycle",
        "memory",
        "limits",
    ],
    later: &["from"],
};

pub(super) const RETRIES: Keys = Keys {
    table: "worker.retries",
    built: &["count", "backoff", "delay", "max_delay", "jitter", "on"],
    later: &[],
};

pub(super) const RECYCLE: Keys =
    Keys { table: "worker.recycle", built: &["tasks", "lifetime", "memory"], later: &[] };

pub(super) const LIMIT: Keys =
    Keys { table: "limits.NAME", built: &["rate", "burst", "concurrency", "per", "retry_after"], later: &[] };

pub(super) const HANDLER: Keys =
    Keys { table: "handler", built: &["script", "code", "ordered", "on_error", "timeout"], later: &[] };

pub(super) const OUTPUT: Keys =
    Keys { table: "output", built: &["path", "format", "fields", "mode"], later: &[] };

pub(super) const RUN: Keys =
    Keys { table: "run", built: &["max_fail", "deadline", "queue", "journal", "keep"], later: &[] };

/// Every table, to find where a key belongs that stands in the wrong one.
pub(super) const ALL: [&Keys; 9] =
    [&TOP, &TASKS, &WORKER, &RETRIES, &RECYCLE, &HANDLER, &OUTPUT, &LIMIT, &RUN];

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
