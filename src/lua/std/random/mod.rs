//! `mpms.random`: numbers of the task's own stream, which `math.random` draws from too, and of streams with a seed.
//!
//! The stream of a task is seeded by run and task (see [`crate::lua::random`]), so that a retry and another machine draw
//! the same; a coroutine has a stream of its own that follows from where it was spawned.

use std::cell::{RefCell, RefMut};

use mlua::{Lua, LuaString, Table, UserDataRef, Value};
use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng as _;

use crate::lua::error::LibError;
use crate::lua::module::{Methods, Module, object};
use crate::lua::random::Random;
use crate::lua::scheduler::Scheduler;

mod draw;
mod lists;
#[cfg(test)]
mod tests;

use draw::Draw;

/// Of `random.new(seed)`.
struct Own(RefCell<Pcg64>);

/// The stream that belongs to `random.new` alone.
const STREAM: u128 = 0x6e65_7728_7365_6564;

impl Draw for Pcg64 {
    fn draw(&mut self) -> u64 {
        self.next_u64()
    }
}

impl Draw for Random {
    fn draw(&mut self) -> u64 {
        Random::draw(self)
    }
}

type Range = (i64, Option<i64>);
type Weighted = (Table, Option<Table>);

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    let of_task = Scheduler::of(lua).random(lua)?;
    register(lua)?;
    Module::new(lua, "mpms.random")
        .function("float()", move |_, ()| Ok(draw::float(&mut { of_task })))
        .function("int(first, last)", move |_, range: Range| draw::int(&mut { of_task }, range))
        .function("bool(chance)", move |_, chance: Option<f64>| draw::bool(&mut { of_task }, chance))
        .function("choice(list, weights)", move |_, (list, weights): Weighted| {
            lists::choice(&mut { of_task }, &list, weights.as_ref())
        })
        .function("sample(list, count)", move |lua, (list, count): (Table, i64)| {
            lists::sample(lua, &mut { of_task }, &list, count)
        })
        .function("shuffle(list)", move |lua, list: Table| lists::shuffle(lua, &mut { of_task }, &list))
        .function("normal(mean, deviation)", move |_, (mean, deviation): (Option<f64>, Option<f64>)| {
            draw::normal(&mut { of_task }, mean, deviation)
        })
        .function("exp(rate)", move |_, rate: Option<f64>| draw::exp(&mut { of_task }, rate))
        .function("bytes(count)", move |lua, count: i64| bytes(lua, &mut { of_task }, count))
        .function("new(seed)", |lua, seed: Value| Ok(object(lua, seeded(&seed)?)?))
        .build()
}

type Object = UserDataRef<Own>;

fn register(lua: &Lua) -> mlua::Result<()> {
    Methods::new(lua, "random.Generator")
        .method("float()", |_, this: Object| Ok(draw::float(&mut *this.stream())))
        .method("int(first, last)", |_, (this, first, last): (Object, i64, Option<i64>)| {
            draw::int(&mut *this.stream(), (first, last))
        })
        .method("bool(chance)", |_, (this, chance): (Object, Option<f64>)| {
            draw::bool(&mut *this.stream(), chance)
        })
        .method("choice(list, weights)", |_, (this, list, weights): (Object, Table, Option<Table>)| {
            lists::choice(&mut *this.stream(), &list, weights.as_ref())
        })
        .method("sample(list, count)", |lua, (this, list, count): (Object, Table, i64)| {
            lists::sample(lua, &mut *this.stream(), &list, count)
        })
        .method("shuffle(list)", |lua, (this, list): (Object, Table)| {
            lists::shuffle(lua, &mut *this.stream(), &list)
        })
        .method(
            "normal(mean, deviation)",
            |_, (this, mean, deviation): (Object, Option<f64>, Option<f64>)| {
                draw::normal(&mut *this.stream(), mean, deviation)
            },
        )
        .method("exp(rate)", |_, (this, rate): (Object, Option<f64>)| draw::exp(&mut *this.stream(), rate))
        .method("bytes(count)", |lua, (this, count): (Object, i64)| bytes(lua, &mut *this.stream(), count))
        .userdata::<Own>()
}

impl Own {
    /// No call into Lua happens while it is held.
    fn stream(&self) -> RefMut<'_, Pcg64> {
        self.0.borrow_mut()
    }
}

/// A number seeds as it is; a text by its hash.
fn seeded(seed: &Value) -> Result<Own, LibError> {
    let state = match seed {
        Value::Integer(number) => u128::from(number.cast_unsigned()),
        Value::String(text) => {
            let hash = blake3::hash(&text.as_bytes());
            u128::from_le_bytes(std::array::from_fn(|at| hash.as_bytes()[at]))
        }
        other => {
            let got = other.type_name();
            return Err(LibError::invalid(format!(
                "argument 1 (seed) must be an integer or a string, got {got}"
            )));
        }
    };
    Ok(Own(RefCell::new(Pcg64::new(state, STREAM))))
}

/// Of `bytes(count)`: what a script may well hold.
const MOST_BYTES: i64 = 256 << 20;

fn bytes(lua: &Lua, from: &mut impl Draw, count: i64) -> Result<LuaString, LibError> {
    if !(0..=MOST_BYTES).contains(&count) {
        return Err(LibError::invalid(format!(
            "argument 1 (count) must be from 0 to {MOST_BYTES}, got {count}"
        )));
    }
    let mut bytes = Vec::with_capacity(count as usize + 8);
    while bytes.len() < count as usize {
        bytes.extend_from_slice(&from.draw().to_le_bytes());
    }
    Ok(lua.create_string(&bytes[..count as usize])?)
}
