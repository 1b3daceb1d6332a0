//! What a selector found: a Lua table of elements or of texts, with methods.

use ego_tree::NodeId;
use mlua::{Function, Lua, LuaString, Table, UserDataRef, Value};

use super::node::{Node, markup};
use super::query::{Found, Query};
use crate::lua::error::LibError;
use crate::lua::module::{Methods, object};

/// The metatable of the lists of this state.
struct ListMetatable(Table);

pub(super) fn register(lua: &Lua) -> mlua::Result<()> {
    let meta = Methods::new(lua, "html.List")
        .method("get(default)", |lua, (list, default): (Table, Value)| match list.raw_get::<Value>(1)? {
            Value::Nil => Ok(default),
            first => text(lua, first),
        })
        .method("getall()", |lua, list: Table| {
            let all = lua.create_table_with_capacity(list.raw_len(), 0)?;
            for value in list.sequence_values::<Value>() {
                all.raw_push(text(lua, value?)?)?;
            }
            Ok(all)
        })
        .method("first()", |_, list: Table| Ok(list.raw_get::<Value>(1)?))
        .method("css(selector)", |lua, (list, selector): (Table, LuaString)| {
            let joined = empty(lua, 0)?;
            for value in list.sequence_values::<Value>() {
                let Value::UserData(node) = value? else {
                    return Err(LibError::invalid("the list holds texts, and only elements have a `css`"));
                };
                let node: UserDataRef<Node> = node.borrow()?;
                fill(lua, &joined, &node, &selector)?;
            }
            Ok(joined)
        })
        .metatable()?;
    // Behind the last place there is nil, as in every list; other unknown names are mistakes.
    let methods: Table = meta.raw_get("__index")?;
    let index: Function = lua
        .load("local type, methods = ... return function(_, k) if type(k) ~= 'number' then return methods[k] end end")
        .set_name("=mpms")
        .call((lua.globals().raw_get::<Value>("type")?, methods))?;
    meta.raw_set("__index", index)?;
    lua.set_app_data(ListMetatable(meta));
    Ok(())
}

/// An element as HTML, a text as it is.
fn text(lua: &Lua, value: Value) -> Result<Value, LibError> {
    match &value {
        Value::UserData(node) => {
            let html = markup(&*node.borrow::<Node>()?, false)?;
            Ok(Value::String(lua.create_string(html)?))
        }
        _ => Ok(value),
    }
}

fn empty(lua: &Lua, capacity: usize) -> Result<Table, LibError> {
    let list = lua.create_table_with_capacity(capacity, 0)?;
    list.set_metatable(lua.app_data_ref::<ListMetatable>().map(|meta| meta.0.clone()))?;
    Ok(list)
}

/// What `selector` finds in and below the element.
pub(super) fn select(lua: &Lua, node: &Node, selector: &LuaString) -> Result<Table, LibError> {
    let list = empty(lua, 0)?;
    fill(lua, &list, node, selector)?;
    Ok(list)
}

fn fill(lua: &Lua, list: &Table, node: &Node, selector: &LuaString) -> Result<(), LibError> {
    let query = Query::of(lua, selector)?;
    let mut failed = Ok(());
    query.run(node.element()?, |found| {
        if failed.is_ok() {
            failed = add(lua, list, node, found);
        }
    });
    Ok(failed?)
}

fn add(lua: &Lua, list: &Table, node: &Node, found: Found<'_>) -> mlua::Result<()> {
    match found {
        Found::Element(id) => list.raw_push(object(lua, node.beside(id))?),
        Found::Text(text) => list.raw_push(lua.create_string(text)?),
    }
}

/// A list of those elements.
pub(super) fn of_elements(
    lua: &Lua,
    node: &Node,
    ids: impl Iterator<Item = NodeId>,
) -> Result<Table, LibError> {
    let list = empty(lua, 0)?;
    for id in ids {
        add(lua, &list, node, Found::Element(id))?;
    }
    Ok(list)
}
