//! Which value of a row belongs to which column.

use std::collections::HashMap;

use crate::output::RowError;
use crate::wire::json::token::{self, Pairs, Token};

/// Where the names of columns come from, and so what rows may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `fields`: values with other names are left out, values without names take the names in order.
    Fields,
    /// The header of a file that is appended to: other names are refused.
    Header,
    /// The first row: other names are refused, and so are rows without names.
    FirstRow,
}

/// What rows look like.
pub enum Shape {
    /// The first row tells.
    Open,
    /// Columns with names.
    Named(Columns),
    /// So many columns without names.
    Unnamed(usize),
}

impl Shape {
    /// Takes the columns from the first row, when they are not known.
    ///
    /// # Errors
    /// When it has none.
    pub fn settle(&mut self, row: &[u8]) -> Result<(), RowError> {
        if let Shape::Open = self {
            *self = of_first_row(row)?.map_or_else(Shape::Unnamed, Shape::Named);
        }
        Ok(())
    }

    /// The row's values by column; the shape is settled.
    ///
    /// # Errors
    /// When the row has a value that no column takes.
    pub fn place<'a>(&self, row: &'a [u8]) -> Result<Cells<'a>, RowError> {
        match self {
            Shape::Named(columns) => columns.place(row),
            Shape::Unnamed(count) => positional(row, *count),
            Shape::Open => Ok(Vec::new()),
        }
    }
}

/// Columns with names, in their order.
pub struct Columns {
    pub names: Vec<Vec<u8>>,
    index: HashMap<Vec<u8>, usize>,
    origin: Origin,
}

/// A row's values by column; none where it has no such value.
pub type Cells<'a> = Vec<Option<&'a [u8]>>;

impl Columns {
    /// Columns of these names.
    pub fn new(names: Vec<Vec<u8>>, origin: Origin) -> Self {
        let index = names.iter().cloned().enumerate().map(|(at, name)| (name, at)).collect();
        Columns { names, index, origin }
    }

    /// `fields`
    pub fn of_fields(fields: &[String]) -> Self {
        Columns::new(fields.iter().map(|field| field.as_bytes().to_vec()).collect(), Origin::Fields)
    }

    /// # Errors
    /// When the row has a value that no column takes.
    pub fn place<'a>(&self, row: &'a [u8]) -> Result<Cells<'a>, RowError> {
        let mut at = 0;
        let Token::Table(sequence, rest) = token::take(row, &mut at)? else {
            if self.origin == Origin::FirstRow {
                return Err(RowError::Unnamed);
            }
            return positional(row, self.names.len());
        };
        let mut cells = vec![None; self.names.len()];
        let mut pairs = Pairs::new(row, at, sequence, rest);
        while let Some((name, value)) = pairs.take()? {
            let name = name.text();
            match self.index.get(&*name) {
                Some(&column) => cells[column] = Some(value),
                None if self.origin == Origin::Fields => {}
                None => return Err(RowError::Unknown(String::from_utf8_lossy(&name).into_owned())),
            }
        }
        Ok(cells)
    }
}

/// The values of an array, or a single value, in order.
///
/// # Errors
/// When there are more than `columns`.
fn positional(row: &[u8], columns: usize) -> Result<Cells<'_>, RowError> {
    let mut at = 0;
    let (start, found) = match token::take(row, &mut at)? {
        Token::Array(count) => (at, count),
        Token::Table(..) => return Err(RowError::Named),
        _ => (0, 1),
    };
    if found > columns {
        return Err(RowError::Wide { found, columns });
    }
    let mut cells = Vec::with_capacity(columns);
    let at = &mut { start };
    for _ in 0..found {
        cells.push(Some(token::slice(row, at)?));
    }
    cells.resize(columns, None);
    Ok(cells)
}

/// What the first row says about the columns: their names, sorted, or their number.
///
/// # Errors
/// When it has none.
fn of_first_row(row: &[u8]) -> Result<Result<Columns, usize>, RowError> {
    let mut at = 0;
    match token::take(row, &mut at)? {
        Token::Array(0) | Token::Table(0, 0) => Err(RowError::Empty),
        Token::Array(count) => Ok(Err(count)),
        Token::Table(sequence, rest) => {
            let mut names = Vec::new();
            let mut pairs = Pairs::new(row, at, sequence, rest);
            while let Some((name, _)) = pairs.take()? {
                names.push(name);
            }
            names.sort();
            let names = names.iter().map(|name| name.text().into_owned()).collect();
            Ok(Ok(Columns::new(names, Origin::FirstRow)))
        }
        _ => Ok(Err(1)),
    }
}
