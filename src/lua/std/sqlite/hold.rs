//! Transactions, as `sqlite.lua` begins and ends them.

use std::cell::RefCell;
use std::rc::Rc;

use mlua::{AnyUserData, Function, Lua, Table, UserDataRef};

use super::database::{Database, Mode, rollback};
use super::error;
use super::gate::{Entry, Key};
use crate::lua::error::LibError;
use crate::lua::module::{Methods, object};
use crate::lua::scheduler::Scheduler;

/// An open transaction. Dropped without a commit, it is rolled back.
struct Hold {
    database: Database,
    serial: u64,
    /// Of the outermost; others wait meanwhile.
    key: RefCell<Option<Key>>,
}

fn savepoint(place: usize) -> String {
    format!("mpms_tx_{place}")
}

impl Hold {
    /// Rolls it back, with all that is inside of it, if it is still open.
    fn close(&self) {
        let gate = &self.database.shared.gate;
        if let Some(place) = gate.place(self.serial) {
            self.database.shared.at_once(|parts| match place {
                0 => rollback(parts),
                _ => {
                    let name = savepoint(place);
                    // one that SQLite has ended by itself is none
                    let _ = parts.connection.execute_batch(&format!("ROLLBACK TO {name}; RELEASE {name}"));
                }
            });
            gate.cut(place);
        }
        self.key.borrow_mut().take();
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.close();
    }
}

/// Begins one, in the coroutine `fiber`; gives it, and the object for the function of the script.
async fn begin(
    lua: Lua,
    database: Database,
    entry: Result<Entry, LibError>,
    fiber: Option<usize>,
) -> Result<(AnyUserData, AnyUserData), LibError> {
    let shared = Rc::clone(&database.shared);
    let (key, mode, text) = match entry? {
        Entry::Inside => (None, Mode::Inside, format!("SAVEPOINT {}", savepoint(shared.gate.depth()))),
        Entry::Waits => {
            let key = shared.gate.enter(shared.patience).await.map_err(|error| shared.named(error))?;
            (Some(key), Mode::Begins, "BEGIN IMMEDIATE".to_owned())
        }
    };
    let serial = shared.gate.push(fiber);
    let hold = Hold { database, serial, key: RefCell::new(key) };
    run(&lua, &hold, mode, text).await?;
    let inside = Database { shared, pass: Some(serial) };
    Ok((object(&lua, Rc::new(hold))?, object(&lua, inside)?))
}

fn run(
    lua: &Lua,
    hold: &Hold,
    mode: Mode,
    text: String,
) -> impl Future<Output = Result<(), LibError>> + 'static + use<> {
    hold.database.run(lua, mode, None, move |parts, patience, stop| {
        // a loop that is still open reads what was there before, and keeps nobody from anything
        parts.settle(stop)?;
        let done = patience.insist(|| parts.connection.execute_batch(&text));
        done.map_err(|reason| error::of(&reason))
    })
}

async fn commit(lua: Lua, hold: Rc<Hold>) -> Result<(), LibError> {
    let gate = &hold.database.shared.gate;
    let Some(place) = gate.place(hold.serial) else {
        return Err(LibError::invalid("the transaction around it is over"));
    };
    if gate.depth() > place + 1 {
        return Err(LibError::new("busy", "another coroutine has a transaction open inside of this one"));
    }
    match place {
        0 => run(&lua, &hold, Mode::Ends, "COMMIT".to_owned()).await?,
        _ => run(&lua, &hold, Mode::Inside, format!("RELEASE {}", savepoint(place))).await?,
    }
    gate.cut(place);
    hold.key.borrow_mut().take();
    Ok(())
}

/// The function that begins one, and the one that ends it.
pub(super) fn functions(lua: &Lua) -> mlua::Result<(Function, Function)> {
    Methods::new(lua, "sqlite.Transaction")
        .method("close()", |_, hold: UserDataRef<Rc<Hold>>| {
            hold.close();
            Ok(())
        })
        .userdata::<Rc<Hold>>()?;
    // hidden methods, whose errors name what the script called
    let begin: Table = Methods::new(lua, "sqlite.Database")
        .waiting("tx(fn)", |lua, database: UserDataRef<Database>| {
            let database = database.clone();
            let scheduler = Scheduler::of(lua);
            let gate = &database.shared.gate;
            let entry = gate.entry(lua, database.pass).and_then(|entry| {
                gate.may_nest(lua, &entry)?;
                Ok(entry)
            });
            begin(lua.clone(), database, entry, scheduler.current())
        })
        .metatable()?
        .raw_get("__index")?;
    let end: Table = Methods::new(lua, "sqlite.Database")
        .waiting("tx(fn)", |lua, hold: UserDataRef<Rc<Hold>>| commit(lua.clone(), Rc::clone(&hold)))
        .metatable()?
        .raw_get("__index")?;
    Ok((begin.raw_get("tx")?, end.raw_get("tx")?))
}
