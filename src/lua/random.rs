#![expect(
    unsafe_code,
    reason = "the generator's state is set in place, since a call of math.randomseed a task costs more than the task"
)]
//! `math.random`, seeded by run and task, so that a task draws the same numbers wherever it runs.
//!
//! Lua 5.4 keeps the state of its generator (xoshiro256**, four 64-bit words) in a userdata that is an
//! upvalue of `math.random`. [`Random::seed`] writes these words. What it relies on is checked when a
//! state is made.

use mlua::{Lua, ffi};

/// The words of one state's generator.
#[derive(Clone, Copy)]
pub struct Random(*mut [u64; 4]);

impl Random {
    /// Finds the generator of the state.
    ///
    /// # Errors
    /// When this Lua keeps it otherwise.
    pub fn of(lua: &Lua) -> mlua::Result<Self> {
        let random: mlua::Function = lua.globals().get::<mlua::Table>("math")?.get("random")?;
        let mut words = std::ptr::null_mut();
        // SAFETY: the function is the first value; its upvalue, if any, is pushed and stays alive with the function,
        // which the registry keeps from now on; a userdata does not move
        unsafe {
            lua.exec_raw::<()>(&random, |state| {
                if !ffi::lua_getupvalue(state, 1, 1).is_null()
                    && ffi::lua_rawlen(state, -1) == size_of::<[u64; 4]>()
                {
                    words = ffi::lua_touserdata(state, -1).cast::<[u64; 4]>();
                }
                ffi::lua_settop(state, 0);
            })?;
        }
        lua.set_named_registry_value("mpms.math.random", &random)?;
        let mut this = Random(words);
        let fits = !words.is_null() && {
            let before = this.exchange([1, 2, 3, 4]);
            let mut words = [1, 2, 3, 4];
            let draws = [random.call::<i64>(0)?, random.call::<i64>(0)?];
            let steps = [step(&mut words), step(&mut words)].map(u64::cast_signed);
            draws == steps && this.exchange(before) == words
        };
        if fits {
            Ok(this)
        } else {
            Err(mlua::Error::runtime("math.random of this Lua cannot be seeded in place"))
        }
    }

    /// Seeds it from the run's seed and what is drawing.
    pub fn seed(&mut self, seed: i64, drawing: u128) {
        self.set(words(seed, drawing));
    }

    /// The words of the generator, instead of which it gets these.
    pub fn exchange(&mut self, words: [u64; 4]) -> [u64; 4] {
        let old = self.words();
        self.set(words);
        old
    }

    /// The words of the generator.
    pub fn words(&self) -> [u64; 4] {
        // SAFETY: as in `set`
        unsafe { *self.0 }
    }

    /// The next 64 bits, which `math.random(0)` would have given.
    pub fn draw(&mut self) -> u64 {
        let mut words = self.words();
        let drawn = step(&mut words);
        self.set(words);
        drawn
    }

    fn set(&mut self, words: [u64; 4]) {
        // SAFETY: points to the four words of a live userdata, which only this thread uses, and not during this call
        unsafe { *self.0 = words };
    }
}

/// The words of a generator that is seeded from the run's seed and what is drawing.
pub fn words(seed: i64, drawing: u128) -> [u64; 4] {
    let mut state = (seed as u64) ^ (drawing as u64).rotate_left(32) ^ ((drawing >> 64) as u64);
    std::array::from_fn(|_| split_mix(&mut state))
}

/// The words of a coroutine that is spawned where the generator has `parent`, and those that it has then.
pub fn of_child(parent: [u64; 4]) -> ([u64; 4], [u64; 4]) {
    let mut state =
        parent[0] ^ parent[1].rotate_left(17) ^ parent[2].rotate_left(34) ^ parent[3].rotate_left(51);
    let mut words = || std::array::from_fn(|_| split_mix(&mut state));
    (words(), words())
}

/// xoshiro256** of Blackman and Vigna, as `nextrand` in Lua's `lmathlib.c`.
fn step(words: &mut [u64; 4]) -> u64 {
    let [s0, s1, s2, s3] = *words;
    let (s2, s3) = (s2 ^ s0, s3 ^ s1);
    *words = [s0 ^ s3, s1 ^ s2, s2 ^ (s1 << 17), s3.rotate_left(45)];
    s1.wrapping_mul(5).rotate_left(7).wrapping_mul(9)
}

/// SplitMix64, the generator that the authors of xoshiro name for seeding it.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
