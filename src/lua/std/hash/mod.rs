//! `mpms.hash`: sums of texts and files.

use std::cell::RefCell;
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;

use data_encoding::HEXLOWER;
use mlua::{AnyUserData, Either, Lua, LuaString, Table, UserDataRef};

use self::algorithm::Hasher;
use super::path;
use crate::lua::error::LibError;
use crate::lua::module::{Methods, Module, object};
use crate::lua::options::Options;
use crate::lua::pool::{self, Stop};

mod algorithm;
mod keyed;

/// Of a file, between two looks at whether somebody still waits.
const PIECE: usize = 256 << 10;

/// What `hash.new` gives.
struct Running(RefCell<Hasher>);

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    running(lua)?;
    let mut module = Module::new(lua, "mpms.hash");
    for (name, signature) in [
        ("blake3", "blake3(text, options)"),
        ("crc32", "crc32(text, options)"),
        ("md5", "md5(text, options)"),
        ("sha1", "sha1(text, options)"),
        ("sha256", "sha256(text, options)"),
        ("sha512", "sha512(text, options)"),
        ("xxh3", "xxh3(text, options)"),
    ] {
        module = module.function(signature, move |lua, (text, options): (LuaString, Option<Table>)| {
            let raw = raw(options)?;
            shown(lua, &Hasher::whole(name, &text.as_bytes())?, raw)
        });
    }
    module
        .function(
            "hmac(algorithm, key, text, options)",
            |lua, call: (String, LuaString, LuaString, Option<Table>)| {
                let (name, key, text, options) = call;
                let raw = raw(options)?;
                shown(lua, &keyed::hmac(&name, &key.as_bytes(), &text.as_bytes())?, raw)
            },
        )
        .function("equal(a, b)", |_, (a, b): (LuaString, LuaString)| {
            Ok(keyed::equal(&a.as_bytes(), &b.as_bytes()))
        })
        .function("new(algorithm)", |lua, name: String| {
            Ok(object(lua, Running(RefCell::new(Hasher::named(&name)?)))?)
        })
        .waiting("file(algorithm, path, options)", |lua, call: (String, LuaString, Option<Table>)| {
            let (name, path, options) = call;
            let asked = raw(options).and_then(|raw| Ok((raw, Hasher::named(&name)?)));
            let lua = lua.clone();
            async move {
                let (raw, hasher) = asked?;
                let path = path::of(&path);
                let sum = pool::run(&lua, move |stop| of_file(hasher, path, stop)).await?;
                shown(&lua, &sum, raw)
            }
        })
        .build()
}

fn running(lua: &Lua) -> mlua::Result<()> {
    Methods::new(lua, "hash.Hash")
        .method("update(text)", |_, (object, text): (AnyUserData, LuaString)| {
            object.borrow::<Running>()?.0.borrow_mut().update(&text.as_bytes());
            Ok(object)
        })
        .method("hex()", |lua, hash: UserDataRef<Running>| shown(lua, &hash.sum(), false))
        .method("raw()", |lua, hash: UserDataRef<Running>| shown(lua, &hash.sum(), true))
        .userdata::<Running>()
}

impl Running {
    /// Of what was given so far; more may follow.
    fn sum(&self) -> Vec<u8> {
        self.0.borrow().clone().finish()
    }
}

fn raw(options: Option<Table>) -> Result<bool, LibError> {
    let mut options = Options::new(options);
    let raw = options.bool("raw")?.unwrap_or(false);
    options.finish()?;
    Ok(raw)
}

fn shown(lua: &Lua, sum: &[u8], raw: bool) -> Result<Either<String, LuaString>, LibError> {
    Ok(if raw { Either::Right(lua.create_string(sum)?) } else { Either::Left(HEXLOWER.encode(sum)) })
}

fn of_file(mut hasher: Hasher, path: PathBuf, stop: &Stop) -> Result<Vec<u8>, LibError> {
    let mut file = File::open(&path).map_err(|error| LibError::file(&error, &path))?;
    let mut piece = vec![0; PIECE];
    loop {
        stop.check()?;
        match file.read(&mut piece) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(read) => hasher.update(&piece[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(LibError::file(&error, &path)),
        }
    }
}

#[cfg(test)]
mod tests;
