//! `node:table`: the cells of a `<table>`.

use std::rc::Rc;

use mlua::{Lua, LuaString, Table, Value};
use scraper::ElementRef;

use super::limits::too_large;
use super::meta::folded;
use super::node::Node;
use super::query::{Found, Query};
use crate::lua::error::LibError;
use crate::lua::options::Options;

/// Cells of a table, each counted as often as it spans, and a long one as several.
const MOST_CELLS: usize = 1_000_000;
const LONG_CELL: usize = 64;

/// As browsers do it (HTML standard, 4.9.11).
const MOST_COLUMNS: usize = 1_000;
const MOST_ROWS: usize = 65_534;

/// A list of rows, which are lists of texts. With `header = true` a row is a table, named by the first row. A cell that
/// spans several places stands in each of them.
pub(super) fn table(
    lua: &Lua,
    node: &Node,
    selector: &LuaString,
    options: Option<Table>,
) -> Result<Table, LibError> {
    let mut options = Options::new(options);
    let header = options.bool("header")?.unwrap_or(false);
    options.finish()?;
    let mut first = None;
    Query::of(lua, selector)?.run(node.element()?, |found| {
        if let (None, Found::Element(id)) = (first, found) {
            first = Some(id);
        }
    });
    let shown = || selector.to_string_lossy();
    let id = first.ok_or_else(|| {
        LibError::new("not_found", format!("no element of the document fits `{}`", shown()))
    })?;
    let found = node.beside(id);
    let element = found.element()?;
    let mut below = std::iter::once(element).chain(element.descendent_elements());
    let element = below.find(|one| one.value().name() == "table").ok_or_else(|| {
        let tag = element.value().name();
        LibError::invalid(format!("what fits `{}` is no table and has none in it: <{tag}>", shown()))
    })?;
    let rows = rows(element)?;
    if header { named(lua, &rows) } else { plain(lua, &rows) }
}

type Row = Vec<Option<Rc<str>>>;

fn text(cell: &Option<Rc<str>>) -> &str {
    cell.as_deref().unwrap_or_default()
}

fn plain(lua: &Lua, rows: &[Row]) -> Result<Table, LibError> {
    let list = lua.create_table_with_capacity(rows.len(), 0)?;
    for row in rows {
        list.raw_push(lua.create_sequence_from(row.iter().map(text))?)?;
    }
    Ok(list)
}

/// Cells without a name in the first row have their number instead.
fn named(lua: &Lua, rows: &[Row]) -> Result<Table, LibError> {
    let list = lua.create_table()?;
    let Some((names, rows)) = rows.split_first() else {
        return Ok(list);
    };
    for row in rows {
        let table = lua.create_table()?;
        for (at, cell) in row.iter().enumerate() {
            let name = names.get(at).map(text).filter(|name| !name.is_empty());
            match name.filter(|name| table.contains_key(*name).is_ok_and(|taken| !taken)) {
                Some(name) => table.raw_set(name, text(cell))?,
                None => table.raw_set(at as i64 + 1, text(cell))?,
            }
        }
        list.raw_push(Value::Table(table))?;
    }
    Ok(list)
}

/// A cell that reaches into the rows below.
struct Hanging {
    column: usize,
    rows: usize,
    text: Rc<str>,
}

#[derive(Default)]
struct Grid {
    rows: Vec<Row>,
    cells: usize,
}

impl Grid {
    fn put(&mut self, column: usize, text: &Rc<str>) -> Result<(), LibError> {
        let Some(row) = self.rows.last_mut() else {
            return Ok(());
        };
        if row.len() <= column {
            row.resize(column + 1, None);
        }
        row[column] = Some(Rc::clone(text));
        self.cells += 1 + text.len() / LONG_CELL;
        match self.cells > MOST_CELLS {
            true => Err(too_large(format!("the table has more than {MOST_CELLS} cells"))),
            false => Ok(()),
        }
    }

    fn is_taken(&self, column: usize) -> bool {
        self.rows.last().and_then(|row| row.get(column)).is_some_and(Option::is_some)
    }
}

fn rows(table: ElementRef<'_>) -> Result<Vec<Row>, LibError> {
    let mut grid = Grid::default();
    let mut hanging: Vec<Hanging> = Vec::new();
    for row in rows_of(table) {
        grid.rows.push(Vec::new());
        for cell in &mut hanging {
            grid.put(cell.column, &cell.text)?;
            cell.rows -= 1;
        }
        hanging.retain(|cell| cell.rows > 0);
        let mut column = 0;
        for cell in row.child_elements().filter(|cell| matches!(cell.value().name(), "td" | "th")) {
            let text: Rc<str> = folded(&cell.text().collect::<String>()).into();
            let rows = span(cell, "rowspan", MOST_ROWS) - 1;
            for _ in 0..span(cell, "colspan", MOST_COLUMNS) {
                while grid.is_taken(column) {
                    column += 1;
                }
                grid.put(column, &text)?;
                if rows > 0 {
                    hanging.push(Hanging { column, rows, text: Rc::clone(&text) });
                }
            }
        }
    }
    Ok(grid.rows)
}

fn span(cell: ElementRef<'_>, name: &str, most: usize) -> usize {
    let told = cell.attr(name).and_then(|text| text.trim().parse::<usize>().ok());
    told.unwrap_or(1).clamp(1, most)
}

/// The rows of the table itself, not those of tables in its cells.
fn rows_of(table: ElementRef<'_>) -> impl Iterator<Item = ElementRef<'_>> {
    let is = |element: &ElementRef<'_>, name: &str| element.value().name() == name;
    table.child_elements().flat_map(move |child| {
        let row = is(&child, "tr").then_some(child);
        let group = ["thead", "tbody", "tfoot"].iter().any(|name| is(&child, name));
        let rows = child.child_elements().filter(move |one| group && is(one, "tr"));
        row.into_iter().chain(rows)
    })
}
