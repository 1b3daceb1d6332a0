use std::path::Path;

use mlua::Lua;

use crate::lua::error::Raised;
use crate::lua::std::testing::{fails, output, program, run, state};

/// A state with the globals `dir`, `file` (a name in it) and `db` (open, with a table).
fn at(folder: &Path) -> Lua {
    let lua = state();
    lua.globals().set("dir", folder.to_str().expect("UTF-8")).expect("a global");
    run::<()>(
        &lua,
        "sqlite = mpms.sqlite file = dir .. '/a.db' db = sqlite.open(file) \
         db:script 'CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE, x)'",
    );
    lua
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn shell(folder: &Path, sql: &str) -> String {
    let out = output(program("sqlite3").arg(folder.join("a.db")).arg(sql));
    String::from_utf8(out).expect("UTF-8").trim_end().to_owned()
}

fn facts(error: &Raised) -> (&str, bool) {
    (&error.code, error.retryable)
}

#[test]
fn what_is_written_is_read_back_by_us_and_by_the_shell() {
    let folder = folder();
    let lua = at(folder.path());
    run::<()>(
        &lua,
        r#"
        local changes, id = db:exec("INSERT INTO t (name, x) VALUES (?, ?)", { "a", 9007199254740993 })
        assert(changes == 1 and id == 1)
        changes, id = db:exec("INSERT INTO t (name, x) VALUES (:n, @x), ('two', $y)", { n = "é", x = 0.1, y = mpms.null })
        assert(changes == 2 and id == 3)
        assert(db:exec("UPDATE t SET x = 1 WHERE id > 100") == 0 and db:exec("SELECT 1") == 0)
        local rows, columns = db:query("SELECT id, name, x FROM t ORDER BY id")
        assert(table.concat(columns, " ") == "id name x" and #rows == 3)
        assert(rows[1].x == 9007199254740993 and math.type(rows[1].x) == "integer")
        assert(rows[2].name == "é" and rows[2].x == 0.1 and rows[3].x == nil)
        local lists = db:query("SELECT id, name, x, x AS x FROM t WHERE id = ?", { 1 }, { list = true })
        assert(lists[1][1] == 1 and lists[1][2] == "a" and lists[1][4] == 9007199254740993)
        local row, names = db:one("SELECT name FROM t WHERE id = ?", { 3 })
        assert(row.name == "two" and names[1] == "name")
        assert(db:one("SELECT * FROM t WHERE id = 9") == nil)
        assert(db:scalar("SELECT count(*) FROM t") == 3 and db:scalar("SELECT 1 WHERE 0") == nil)
        assert(db:scalar("SELECT 2.0") == 2.0 and math.type(db:scalar("SELECT 2.0")) == "float")
        assert(db:scalar("SELECT ?", { -9223372036854775807 - 1 }) == math.mininteger)
        assert(db:scalar("SELECT ? + 0", { true }) == 1)
        "#,
    );
    assert_eq!(
        shell(folder.path(), "SELECT id, name, x, typeof(x) FROM t"),
        "1|a|9007199254740993|integer\n2|é|0.1|real\n3|two||null"
    );
    assert_eq!(shell(folder.path(), "PRAGMA journal_mode"), "wal");
}

#[test]
fn strings_of_any_bytes_come_back_as_they_were() {
    let folder = folder();
    let lua = at(folder.path());
    run::<()>(
        &lua,
        r#"
        local all = {}
        for i = 0, 255 do all[i + 1] = string.char(i) end
        all = table.concat(all)
        db:insert("t", { { name = "blob", x = all }, { name = "text\0zero", x = "a\0b" }, { name = "", x = "" } })
        assert(db:scalar("SELECT x FROM t WHERE name = 'blob'") == all)
        assert(db:scalar("SELECT x FROM t WHERE name = ?", { "text\0zero" }) == "a\0b")
        assert(db:scalar("SELECT x FROM t WHERE name = ?", { "" }) == "")
        local kinds = db:query("SELECT typeof(x) AS k FROM t ORDER BY id")
        assert(kinds[1].k == "blob" and kinds[2].k == "text" and kinds[3].k == "text")
        "#,
    );
    assert_eq!(shell(folder.path(), "SELECT length(x), hex(substr(x, 255)) FROM t WHERE id = 1"), "256|FEFF");
}

#[test]
fn parameters_must_fit() {
    let folder = folder();
    let lua = at(folder.path());
    for (call, text) in [
        (
            "db:exec('SELECT ?, ?', { 1 })",
            "the statement has 2 parameters, got 1 values (mpms.null stands for NULL)",
        ),
        ("db:exec('SELECT ?', { 1, 2 })", "the statement has 1 parameters, got 2 values"),
        ("db:exec('SELECT ?')", "the statement has 1 parameters, got 0 values (mpms.null stands for NULL)"),
        (
            "db:exec('SELECT :name', { nme = 1 })",
            "the parameter `:name` has no value (mpms.null stands for NULL); did you mean `nme`?",
        ),
        ("db:exec('SELECT :a', { a = 1, b = 2 })", "the statement has no parameter `:b`"),
        ("db:exec('SELECT ?', { a = 1 })", "the statement has parameters `?`: give a list"),
        ("db:exec('SELECT :a', { 1 })", "the statement has the parameter `:a`: give a table by names"),
        ("db:exec('SELECT ?', { 1, a = 2 })", "parameters are a list or a table by names, not both"),
        (
            "db:exec('SELECT ?', { {} })",
            "parameter 1 is a table: keep json.encode(value), or a column for each field",
        ),
        ("db:exec('SELECT ?', { 0/0 })", "parameter 1 is NaN, which SQLite does not keep"),
        ("db:exec('SELECT ?', { print })", "parameter 1 is a function"),
        (
            "db:exec('SELECT ?, ?, ?', { [1] = 1, [3] = 3 })",
            "the list of parameters has a hole after 1: mpms.null stands for NULL",
        ),
        (
            "db:exec('SELECT 1; SELECT 2')",
            "more than one statement: use db:script for several, without parameters",
        ),
        ("db:query('SELECT 1', nil, { lists = true })", "unknown option `lists`; did you mean `list`?"),
        ("db:exec('SELECT \\0')", "the statement has a zero byte: pass bytes as parameters"),
        ("db:exec('SELECT \\xff')", "the statement is not UTF-8: pass bytes as parameters"),
    ] {
        let error = fails(&lua, call);
        let told = error.message.rsplit_once("a.db: ").map_or(&*error.message, |(_, told)| told);
        let told = told
            .split_once("Database:")
            .and_then(|(_, rest)| rest.split_once(": "))
            .map_or(told, |(_, rest)| rest);
        assert_eq!((error.code.as_str(), told), ("invalid", text), "{call}");
    }
    assert!(run::<bool>(&lua, "return db:scalar('SELECT ?2 || ?1', { 'a', 'b' }) == 'ba'"));
}

#[test]
fn mistakes_in_sql_are_told_with_their_place() {
    let folder = folder();
    let lua = at(folder.path());
    let error = fails(&lua, "db:query('SELECT id,\\n  nme FROM t')");
    assert_eq!((error.code.as_str(), error.op.as_deref()), ("parse", Some("sqlite.Database:query")));
    assert!(
        error.message.ends_with("no such column: nme (line 2, column 3: near `nme FROM t`)"),
        "{}",
        error.message
    );
    assert!(error.path.is_some_and(|path| path.ends_with("a.db")));
    for sql in ["", " -- nothing", "SELEC 1", "SELECT * FROM nowhere", "SELECT 'a"] {
        assert_eq!(fails(&lua, &format!("db:exec [[{sql}]]")).code, "parse", "{sql}");
    }
    assert_eq!(fails(&lua, "db:script 'CREATE TABLE u (a); SELEC'").code, "parse");
    assert_eq!(fails(&lua, "db:insert('none', { a = 1 })").code, "parse");
}

#[test]
fn constraints_say_which() {
    let folder = folder();
    let lua = at(folder.path());
    run::<()>(
        &lua,
        "db:script [[CREATE TABLE c (id INTEGER PRIMARY KEY, t REFERENCES t(id), n NOT NULL, k CHECK (k > 0)); \
         INSERT INTO t (id, name) VALUES (1, 'a')]]",
    );
    for (call, cause) in [
        ("db:exec([[INSERT INTO t (name) VALUES ('a')]])", "SQLITE_CONSTRAINT_UNIQUE"),
        ("db:exec([[INSERT INTO t (id) VALUES (1)]])", "SQLITE_CONSTRAINT_PRIMARYKEY"),
        ("db:insert('c', { t = 9, n = 1 })", "SQLITE_CONSTRAINT_FOREIGNKEY"),
        ("db:insert('c', { t = 1 })", "SQLITE_CONSTRAINT_NOTNULL"),
        ("db:insert('c', { n = 1, k = 0 })", "SQLITE_CONSTRAINT_CHECK"),
    ] {
        let error = fails(&lua, call);
        assert_eq!((facts(&error), error.cause.as_deref()), (("constraint", false), Some(cause)), "{call}");
    }
    run::<()>(
        &lua,
        "local free <close> = sqlite.open(dir .. '/free.db', { foreign_keys = false }) \
         free:script 'CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p(id)); INSERT INTO c VALUES (9)'",
    );
}

#[test]
fn many_rows_are_inserted_in_one_transaction() {
    let folder = folder();
    let lua = at(folder.path());
    run::<()>(
        &lua,
        r#"
        local rows = {}
        for i = 1, 3000 do rows[i] = { name = "n" .. i, x = i } end
        local changes, id = db:insert("t", rows)
        assert(changes == 3000 and id == 3000)
        assert(db:insert("t", {}) == 0)
        changes = db:insert("t", { { name = "n1", x = 0 }, { name = "new", x = 1 } }, { ["or"] = "ignore" })
        assert(changes == 1 and db:scalar "SELECT x FROM t WHERE name = 'n1'" == 1)
        assert(db:insert("t", { name = "n1", x = "r" }, { ["or"] = "replace" }) == 1)
        assert(db:scalar "SELECT x FROM t WHERE name = 'n1'" == "r")
        -- columns that a row leaves out have their defaults
        db:script "CREATE TABLE d (a DEFAULT 7, b DEFAULT 8, \"odd \"\" name\")"
        db:insert("d", { { a = 1 }, { b = 2 }, {}, { a = 1, b = 2, ['odd " name'] = 3 }, { a = mpms.null } })
        local text = {}
        for _, row in ipairs(db:query("SELECT * FROM d", nil, { list = true })) do
          text[#text + 1] = ("%s,%s,%s"):format(row[1], row[2], row[3])
        end
        assert(table.concat(text, " ") == "1,8,nil 7,2,nil 7,8,nil 1,2,3 nil,8,nil", table.concat(text, " "))
        "#,
    );
    let error = fails(&lua, "db:insert('t', { { name = 'y' }, { name = 'z' }, { name = 'n2' } })");
    assert_eq!(error.code, "constraint");
    assert!(run::<bool>(&lua, "return db:scalar \"SELECT count(*) FROM t WHERE name IN ('y', 'z')\" == 0"));
    assert_eq!(shell(folder.path(), "SELECT count(*) FROM t"), "3001");
    for (call, text) in [
        ("db:insert('t', { { name = {} } })", "row 1: column `name` is a table"),
        ("db:insert('t', { { 1, 2 } })", "row 1: its keys must be names of columns"),
        ("db:insert('t', { 1 })", "row 1 must be a table of columns, got integer"),
        (
            "db:insert('t', { name = 1 }, { ['or'] = 'fail' })",
            "option `or` must be one of `ignore`, `replace`",
        ),
        ("db:insert('t', { nme = 1 })", "table t has no column named nme"),
    ] {
        let error = fails(&lua, call);
        assert!(error.message.contains(text), "{call}: {}", error.message);
    }
}

#[test]
fn a_loop_streams_and_a_break_ends_it() {
    let folder = folder();
    let lua = at(folder.path());
    run::<()>(
        &lua,
        r#"
        local sum, count = 0, 0
        local numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ?) SELECT i, i * 2 AS d FROM n"
        for row, columns in db:rows(numbers, { 5000 }) do
          sum, count = sum + row.i, count + 1
          assert(row.d == 2 * row.i and columns[2] == "d")
        end
        assert(count == 5000 and sum == 12502500)
        for row in db:rows(numbers, { 3 }, { list = true }) do assert(row[2] == 2 * row[1]) end
        for _ in db:rows("SELECT 1 WHERE 0") do error "no row" end
        -- without an end: streamed, and closed by the break
        for row in db:rows "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n" do
          if row.i == 1000 then break end
        end
        db:exec "DROP TABLE t"    -- an open loop would keep it locked
        "#,
    );
    assert_eq!(
        fails(&lua, "for _ in db:rows 'SELECT * FROM gone' do end").op.as_deref(),
        Some("sqlite.Database:rows")
    );
    let error = fails(&lua, "for _ in db:rows \"SELECT abs(-9223372036854775808)\" do end");
    assert_eq!((error.code.as_str(), error.op.as_deref()), ("invalid", Some("sqlite.Database:rows")));
}

#[test]
fn a_loop_sees_the_rows_of_its_beginning_whatever_its_body_writes() {
    let folder = folder();
    let lua = at(folder.path());
    run::<()>(
        &lua,
        r#"
        local rows = {}
        for i = 1, 2000 do rows[i] = { x = i } end
        db:insert("t", rows)
        local seen = 0
        local other = sqlite.open(file)
        for row in db:rows "SELECT id, x FROM t" do
          seen = seen + 1
          if seen % 100 == 1 then
            -- with an open snapshot that is older than this, the next write would be refused for good
            other:exec("UPDATE t SET x = -1 WHERE id = ?", { row.id })
            db:exec("INSERT INTO t (x) VALUES (?)", { row.x })
            db:tx(function() db:exec("UPDATE t SET x = x + 1 WHERE id = 2000") end)
          end
        end
        assert(seen == 2000, seen)
        "#,
    );
    let error = fails(
        &lua,
        "for row in db:rows \"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n\" do \
           db:exec 'DELETE FROM t' \
         end",
    );
    assert_eq!(error.code, "too_large");
    assert!(error.message.contains("read by keys"), "{}", error.message);
    let returned: i64 = run(
        &lua,
        "local n = 0 for row in db:rows 'INSERT INTO t (x) VALUES (1), (2) RETURNING id' do n = n + 1 break end \
         return n + db:scalar 'SELECT count(*) FROM t WHERE x IN (1, 2)'",
    );
    assert!(returned >= 3);
}

#[test]
fn a_transaction_is_kept_whole_or_not_at_all() {
    let folder = folder();
    let lua = at(folder.path());
    run::<()>(
        &lua,
        r#"
        local a, b, c = db:tx(function(tx)
          tx:exec "INSERT INTO t (name) VALUES ('in')"
          db:exec "INSERT INTO t (name) VALUES ('too')"
          assert(db:scalar "SELECT count(*) FROM t" == 2)
          return 1, nil, 3
        end)
        assert(a == 1 and b == nil and c == 3)
        local raised = setmetatable({}, {})
        local _, e = try(db.tx, db, function() db:exec "DELETE FROM t" error(raised) end)
        assert(e == raised and db:scalar "SELECT count(*) FROM t" == 2)
        -- inside of another
        db:tx(function()
          db:insert("t", { name = "outer" })
          try(db.tx, db, function() db:insert("t", { name = "inner" }) error "no" end)
          db:tx(function(tx) tx:insert("t", { name = "inner 2" }) end)
        end)
        local names = {}
        for row in db:rows "SELECT name FROM t ORDER BY id" do names[#names + 1] = row.name end
        assert(table.concat(names, ",") == "in,too,outer,inner 2", table.concat(names, ","))
        -- the same by waiting
        db:tx(function(tx) tx:exec "DELETE FROM t" sleep(0.01) end)
        "#,
    );
    assert_eq!(shell(folder.path(), "SELECT count(*) FROM t"), "0");
    let error = fails(&lua, "local keep db:tx(function(tx) keep = tx end) keep:exec 'DELETE FROM t'");
    assert!(error.message.contains("the transaction of this object is over"), "{}", error.message);
    for (call, text) in [
        ("db:exec 'BEGIN'", "it leaves a transaction open, which was rolled back: use db:tx(fn)"),
        ("db:tx(function() db:exec 'COMMIT' end)", "it ended the transaction of db:tx"),
        (
            "db:tx(function() try(db.exec, db, 'ROLLBACK') db:exec 'DELETE FROM t' end)",
            "the transaction is over already",
        ),
        ("db:tx(1)", "argument 1 (fn) must be a function, got number"),
        ("db:tx(function() db:close() end)", "a transaction is open"),
        ("db.tx(1, print)", "call it with a colon"),
    ] {
        let error = fails(&lua, call);
        assert!(error.message.contains(text) && error.code == "invalid", "{call}: {}", error.message);
    }
    run::<()>(&lua, "db:script \"BEGIN; INSERT INTO t (name) VALUES ('dump'); COMMIT\"");
    assert_eq!(shell(folder.path(), "SELECT name FROM t"), "dump");
}

#[test]
fn coroutines_take_turns_and_do_not_enter_a_transaction_of_another() {
    let folder = folder();
    let lua = at(folder.path());
    run::<()>(
        &lua,
        r#"
        local co = mpms.co
        db:insert("t", { id = 1, x = 0 })
        -- each reads, waits and writes: without the lock nearly all would be lost
        local tasks, seen = {}, {}
        for i = 1, 20 do
          tasks[i] = function()
            db:tx(function(tx)
              local x = tx:scalar "SELECT x FROM t WHERE id = 1"
              sleep(0.001)
              tx:exec("UPDATE t SET x = ? WHERE id = 1", { x + 1 })
              sleep(0.001)
              if i % 4 == 0 then error "rolled back" end
            end)
          end
        end
        -- and some that only look: never at what is rolled back later
        local looks = true
        local looker = co.spawn(function()
          while looks do seen[db:scalar "SELECT x FROM t WHERE id = 1"] = true sleep(0.0005) end
        end)
        co.map(tasks, function(task) try(task) end, { concurrency = 20 })
        looks = false
        looker:await()
        assert(db:scalar "SELECT x FROM t WHERE id = 1" == 15)
        for x in pairs(seen) do assert(x <= 15) end
        -- children of a transaction use its object
        db:tx(function(tx)
          co.map({ 1, 2, 3, 4 }, function(i) sleep(0.001) tx:insert("t", { name = "child" .. i }) end)
        end)
        assert(db:scalar "SELECT count(*) FROM t WHERE name LIKE 'child%'" == 4)
        -- loops beside each other
        local counts = co.map({ 1, 2, 3 }, function()
          local n = 0
          for _ in db:rows "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2000) SELECT i FROM n" do n = n + 1 end
          return n
        end)
        assert(counts[1] == 2000 and counts[3] == 2000)
        "#,
    );
    let error = fails(
        &lua,
        "local db <close> = sqlite.open(file, { busy_timeout = 0.05 }) \
         db:tx(function() mpms.co.map({ 1 }, function() db:exec 'SELECT 1' end) end)",
    );
    assert_eq!(facts(&error), ("busy", true));
    assert!(error.message.contains("coroutines of the transaction use `tx`"), "{}", error.message);
}

#[test]
fn a_transaction_that_is_cancelled_is_rolled_back() {
    let folder = folder();
    let lua = at(folder.path());
    run::<()>(
        &lua,
        r#"
        local co = mpms.co
        local function endless(tx)
          tx:exec "INSERT INTO t (name) VALUES ('lost')"
          tx:scalar "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
        end
        local t = mpms.time.mono()
        local _, e = try(co.timeout, 0.05, function() db:tx(endless) end)
        assert(e.code == "timeout", tostring(e))
        assert(db:scalar "SELECT count(*) FROM t" == 0)
        local _, e = try(co.timeout, 0.05, function() db:tx(function(tx) tx:exec "INSERT INTO t (name) VALUES ('lost')" sleep(9) end) end)
        assert(e.code == "timeout" and db:scalar "SELECT count(*) FROM t" == 0)
        -- a query alone
        local _, e = try(co.timeout, 0.05, function()
          db:query "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
        end)
        assert(e.code == "timeout" and mpms.time.mono() - t < 5)
        db:insert("t", { name = "kept" })
        -- a coroutine of the script that is left lying in a transaction
        do
          local co = coroutine.wrap(function() db:tx(function(tx) tx:insert("t", { name = "left" }) coroutine.yield() end) end)
          co()
        end
        collectgarbage() collectgarbage()
        assert(db:scalar "SELECT count(*) FROM t" == 1)
        "#,
    );
    assert_eq!(shell(folder.path(), "SELECT group_concat(name) FROM t"), "kept");
}

#[test]
fn another_process_that_has_the_lock_is_waited_for_and_then_told() {
    let folder = folder();
    let lua = at(folder.path());
    let other = rusqlite::Connection::open(folder.path().join("a.db")).expect("a second connection");
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    let error = fails(
        &lua,
        "local db <close> = sqlite.open(file, { busy_timeout = '50ms' }) db:exec 'DELETE FROM t'",
    );
    assert_eq!(facts(&error), ("busy", true));
    let error =
        fails(&lua, "local db <close> = sqlite.open(file, { busy_timeout = 0.05 }) db:tx(function() end)");
    assert_eq!((facts(&error), error.op.as_deref()), (("busy", true), Some("sqlite.Database:tx")));
    assert!(run::<bool>(&lua, "return db:scalar 'SELECT count(*) FROM t' == 0"), "readers are not kept");
    let freed = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(100));
        other.execute_batch("COMMIT").expect("freed");
    });
    run::<()>(&lua, "db:tx(function(tx) tx:exec 'DELETE FROM t' end)");
    freed.join().expect("it ends");
}

#[test]
fn files_that_cannot_be_opened_say_why() {
    let folder = folder();
    let lua = at(folder.path());
    std::fs::write(
        folder.path().join("text.db"),
        "this is no database, but it is long enough to look like one",
    )
    .expect("written");
    for (call, code) in [
        ("sqlite.open(dir .. '/none.db', { readonly = true })", "not_found"),
        ("sqlite.open(dir .. '/none/x.db')", "not_found"),
        ("sqlite.open(dir)", "is_directory"),
        ("sqlite.open(dir .. '/text.db')", "corrupt"),
        ("sqlite.open ''", "invalid"),
        ("sqlite.open(file, { walk = true })", "invalid"),
        ("sqlite.open(file, { readonly = true }):exec 'DELETE FROM t'", "permission"),
        ("db:exec \"SELECT load_extension('x')\"", "invalid"),
        ("db:exec 'PRAGMA writable_schema = on' db:exec 'DELETE FROM sqlite_schema'", "parse"),
    ] {
        assert_eq!(fails(&lua, call).code, code, "{call}");
    }
    // a name is a name, not a URI
    run::<()>(&lua, "local cwd = dir sqlite.open(dir .. '/file:x?mode=memory'):exec 'CREATE TABLE y (a)'");
    assert!(folder.path().join("file:x?mode=memory").is_file());
    let memory: i64 = run(
        &lua,
        "local m <close> = sqlite.open ':memory:' m:exec 'CREATE TABLE t (a)' return m:insert('t', { a = 1 })",
    );
    assert_eq!(memory, 1);
    // pages that are no pages
    run::<()>(&lua, "for i = 1, 500 do db:insert('t', { name = ('x'):rep(100) .. i }) end db:close()");
    let path = folder.path().join("a.db");
    let mut bytes = std::fs::read(&path).expect("the file");
    bytes[4096..].fill(0x5a);
    std::fs::write(&path, bytes).expect("written");
    let error = fails(&lua, "sqlite.open(file):query 'SELECT * FROM t'");
    assert_eq!((error.code.as_str(), error.path.as_deref()), ("corrupt", path.to_str()));
}

#[test]
fn a_full_disk_is_told_and_nothing_is_half_there() {
    let folder = folder();
    let lua = at(folder.path());
    // the same error as of a full disk, without one
    let error = fails(
        &lua,
        "db:exec 'PRAGMA max_page_count = 20' \
         db:tx(function(tx) tx:exec \"INSERT INTO t (name) VALUES ('first')\" \
           for i = 1, 1000 do tx:insert('t', { x = ('x'):rep(1000) .. i }) end end)",
    );
    assert_eq!(facts(&error), ("no_space", true));
    assert!(run::<bool>(&lua, "return db:scalar 'SELECT count(*) FROM t' == 0"));
}

#[test]
fn a_backup_is_whole_and_takes_no_place_of_another() {
    let folder = folder();
    let lua = at(folder.path());
    run::<()>(
        &lua,
        "local rows = {} for i = 1, 2000 do rows[i] = { x = ('y'):rep(500) .. i } end db:insert('t', rows) \
         local size = db:backup(dir .. '/b.db') assert(size == mpms.fs.stat(dir .. '/b.db').size) \
         local b <close> = sqlite.open(dir .. '/b.db', { readonly = true }) assert(b:scalar 'SELECT count(*) FROM t' == 2000) \
         db:backup(dir .. '/b.db', { overwrite = true })",
    );
    assert_eq!(fails(&lua, "db:backup(dir .. '/b.db')").code, "exists");
    assert_eq!(fails(&lua, "db:backup(dir .. '/none/b.db')").code, "not_found");
    let checked = output(
        program("sqlite3").arg(folder.path().join("b.db")).arg("PRAGMA integrity_check; PRAGMA journal_mode"),
    );
    assert_eq!(checked, b"ok\ndelete\n");
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("part")), "{left:?}");
}

#[test]
fn closing_is_for_good_and_twice_is_once() {
    let folder = folder();
    let lua = at(folder.path());
    let error = fails(&lua, "do local d <close> = db d:exec 'SELECT 1' end db:close() db:exec 'SELECT 1'");
    assert_eq!((error.code.as_str(), error.message.ends_with("the database is closed")), ("invalid", true));
    assert!(!folder.path().join("a.db-wal").exists(), "the log was moved into the file");
    let error = fails(&lua, "local d = sqlite.open(file) local next = d:rows 'SELECT 1' d:close() next()");
    assert_eq!(error.code, "invalid");
    assert_eq!(
        fails(&lua, "db:exce()").message,
        "sqlite.Database: no field or method `exce`; did you mean `exec`?"
    );
}

#[test]
fn the_shell_reads_while_we_write_and_we_what_it_wrote() {
    let folder = folder();
    let lua = at(folder.path());
    shell(folder.path(), "INSERT INTO t (name, x) VALUES ('shell', x'00ff'), (NULL, 1e300)");
    run::<()>(
        &lua,
        "assert(db:scalar \"SELECT x FROM t WHERE name = 'shell'\" == '\\0\\xff') assert(db:scalar 'SELECT max(x) FROM t WHERE name IS NULL' == 1e300) \
         db:insert('t', { name = 'ours', x = 1 })",
    );
    // a table that has changed under a prepared statement
    run::<()>(&lua, "assert(#select(2, db:query 'SELECT * FROM t') == 3)");
    shell(folder.path(), "ALTER TABLE t ADD COLUMN more DEFAULT 5");
    run::<()>(
        &lua,
        "local rows, columns = db:query 'SELECT * FROM t' assert(#columns == 4 and rows[1].more == 5)",
    );
}

#[test]
fn a_thread_that_is_interrupted_ends_its_query() {
    let folder = folder();
    let lua = at(folder.path());
    let interrupt = crate::lua::std::runtime::interrupt();
    let from_elsewhere = std::sync::Arc::clone(&interrupt);
    let raised = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(50));
        from_elsewhere.raise();
    });
    let error = fails(
        &lua,
        "db:tx(function(tx) tx:exec \"INSERT INTO t (name) VALUES ('lost')\" \
           tx:scalar 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n' end)",
    );
    raised.join().expect("it ends");
    interrupt.clear();
    assert_eq!(error.code, "cancelled");
    assert!(run::<bool>(&lua, "return db:scalar 'SELECT count(*) FROM t' == 0"));
}
