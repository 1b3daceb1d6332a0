//! Lines of a script on which something can run, also in functions that nothing called: read from its compiled form,
//! which is that of Lua 5.4 (`ldump.c`, `lopcodes.h`).
//!
//! `debug.getinfo(f, "L")` knows only functions that exist, and counts the `end` after a `return`, which no way leads to.

use std::collections::BTreeSet;

use mlua::Lua;
use mlua::chunk::ChunkMode;

use crate::lua::require::without_shebang;

/// Signature, version, format, check data, three sizes, an integer, a float, the number of upvalues.
const HEADER: usize = 4 + 1 + 1 + 6 + 3 + 8 + 8 + 1;
/// Instead of a difference of lines: the line stands in the other list.
const ABSOLUTE: u8 = 0x80;

/// The lines, from 1.
///
/// # Errors
/// When it is no Lua: why.
pub fn executable(text: &[u8]) -> Result<BTreeSet<u32>, String> {
    let lua = Lua::new();
    let chunk = lua.load(without_shebang(text)).set_name("=line").set_mode(ChunkMode::Text);
    let function = chunk.into_function().map_err(|error| match error {
        mlua::Error::SyntaxError { message, .. } => message,
        other => other.to_string(),
    })?;
    let dump = function.dump(false);
    let mut lines = BTreeSet::new();
    let read = dump.get(HEADER..).map(Reader).and_then(|mut reader| reader.function(&mut lines));
    read.map(|()| lines).ok_or_else(|| "its compiled form is of another kind".to_owned())
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.bytes(1).map(|bytes| bytes[0])
    }

    /// Seven bits a byte, the highest first; the last byte has its highest bit set.
    fn number(&mut self) -> Option<usize> {
        let mut number = 0_usize;
        loop {
            let byte = self.byte()?;
            number = number.checked_mul(128)? | usize::from(byte & 0x7f);
            if byte & 0x80 != 0 {
                return Some(number);
            }
        }
    }

    fn skip_text(&mut self) -> Option<()> {
        match self.number()? {
            0 => Some(()),
            more => self.bytes(more - 1).map(drop),
        }
    }

    fn function(&mut self, lines: &mut BTreeSet<u32>) -> Option<()> {
        self.skip_text()?;
        let first = self.number()?;
        self.number()?;
        let is_vararg = self.bytes(3)?[1] != 0;
        let count = self.number()?;
        let code = self.bytes(count.checked_mul(4)?)?;
        let code: Vec<Instruction> = code
            .chunks_exact(4)
            .map(|four| Instruction(u32::from_ne_bytes([four[0], four[1], four[2], four[3]])))
            .collect();
        self.skip_constants()?;
        let upvalues = self.number()?;
        self.bytes(upvalues.checked_mul(3)?)?;
        for _ in 0..self.number()? {
            self.function(lines)?;
        }
        let at = self.lines(first)?;
        // the first one of a function with `...` is not on a line of the script
        let own = reached(&code).into_iter().filter(|pc| !(is_vararg && *pc == 0));
        lines.extend(own.filter_map(|pc| u32::try_from(*at.get(pc)?).ok()));
        Some(())
    }

    fn skip_constants(&mut self) -> Option<()> {
        for _ in 0..self.number()? {
            match self.byte()? {
                // nil, false, true
                0x00 | 0x01 | 0x11 => {}
                // integer, float
                0x03 | 0x13 => drop(self.bytes(8)?),
                // texts, short and long
                0x04 | 0x14 => self.skip_text()?,
                _ => return None,
            }
        }
        Some(())
    }

    /// Those of the instructions.
    fn lines(&mut self, first: usize) -> Option<Vec<usize>> {
        let count = self.number()?;
        let differences = self.bytes(count)?;
        let mut absolute = Vec::new();
        for _ in 0..self.number()? {
            absolute.push((self.number()?, self.number()?));
        }
        for _ in 0..self.number()? {
            self.skip_text()?;
            self.number()?;
            self.number()?;
        }
        for _ in 0..self.number()? {
            self.skip_text()?;
        }
        let mut line = first;
        let mut at = Vec::with_capacity(count);
        for (pc, difference) in differences.iter().enumerate() {
            line = match *difference {
                ABSOLUTE => absolute.iter().find(|(place, _)| *place == pc)?.1,
                other => line.checked_add_signed(isize::from(other.cast_signed()))?,
            };
            at.push(line);
        }
        Some(at)
    }
}

#[derive(Clone, Copy)]
struct Instruction(u32);

impl Instruction {
    fn far(self) -> isize {
        (self.0 >> 15) as isize
    }

    fn jump(self) -> isize {
        (self.0 >> 7) as isize - ((1 << 24) - 1)
    }

    /// What may follow it, as seen from the one behind it.
    fn next(self) -> [Option<isize>; 2] {
        const SKIP_ONE: u32 = 6;
        const JUMP: u32 = 56;
        const FIRST_TEST: u32 = 57;
        const LAST_TEST: u32 = 67;
        const FIRST_RETURN: u32 = 70;
        const LAST_RETURN: u32 = 72;
        const FOR_LOOP: u32 = 73;
        const FOR_BEGIN: u32 = 74;
        const EACH_BEGIN: u32 = 75;
        const EACH_LOOP: u32 = 77;
        match self.0 & 0x7f {
            SKIP_ONE => [Some(1), None],
            JUMP => [Some(self.jump()), None],
            FIRST_TEST..=LAST_TEST => [Some(0), Some(1)],
            FIRST_RETURN..=LAST_RETURN => [None, None],
            FOR_LOOP | EACH_LOOP => [Some(0), Some(-self.far())],
            FOR_BEGIN => [Some(0), Some(self.far() + 1)],
            EACH_BEGIN => [Some(self.far()), None],
            _ => [Some(0), None],
        }
    }
}

/// Instructions that some way from the first one leads to.
fn reached(code: &[Instruction]) -> Vec<usize> {
    let mut is_reached = vec![false; code.len()];
    let mut open = vec![0];
    while let Some(pc) = open.pop() {
        let Some(known) = is_reached.get_mut(pc) else { continue };
        if std::mem::replace(known, true) {
            continue;
        }
        let next = code[pc].next().into_iter().flatten();
        open.extend(next.filter_map(|step| (pc + 1).checked_add_signed(step)));
    }
    (0..code.len()).filter(|pc| is_reached[*pc]).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeSet;
    use std::rc::Rc;

    use mlua::{HookTriggers, Lua, VmState};

    use super::executable;

    fn lines(text: &str) -> Vec<u32> {
        executable(text.as_bytes()).expect("Lua").into_iter().collect()
    }

    #[test]
    fn functions_that_nothing_calls_count() {
        assert_eq!(lines("local x = 1\n\n-- nothing\nlocal function f()\n  return x\nend\n"), [1, 5, 6]);
        assert_eq!(lines("return {\n  f = function(a)\n    a()\n  end,\n}\n"), [1, 3, 4, 5]);
        assert_eq!(lines("#!/usr/bin/mpms\nlocal a = ...\nreturn a\n"), [2, 3]);
    }

    #[test]
    fn no_way_leads_behind_a_return() {
        let text = "f = function(a)\n  if a then\n    return 1\n  else\n    return 2\n  end\n\nend\n";
        assert_eq!(lines(text), [2, 3, 5, 8]);
        // the top level itself ends on line 5
        assert_eq!(lines("function f()\n  while true do\n    f()\n  end\nend\n"), [1, 3, 5]);
        assert_eq!(lines("goto over\nprint 'never'\n::over::\nprint 'here'\n"), [1, 4]);
        assert_eq!(lines("function f(a)\n  return a(\n    1\n  )\nend\n"), [1, 2, 4, 5]);
    }

    #[test]
    fn what_is_no_lua_says_why() {
        let why = executable(b"return )").expect_err("no Lua");
        assert!(why.contains("line:1:"), "{why}");
    }

    /// Everything of it runs.
    const ALL: &str = r#"
local sum = 0
local function add(n, ...)
  if n then
    sum = sum + n
  elseif ... then
    sum = sum - 1
  else
    return nil
  end
  return add(...)
end
add(1, 2, 3)
add(nil, nil)
add(false, 5)
for i = 1, 3 do
  if i == 2 then goto continue end
  sum = sum +
    i
  ::continue::
end
for _, v in ipairs {
  1,
  sum,
} do
  sum = v
end
local list = setmetatable({}, {
  __index = function(_, key)
    return key .. "!"
  end,
})
repeat
  local last = list.a
until last ~= "b"
while sum < 100 do
  sum = sum * 2
  if sum > 50 and
    list.b
    or sum < 10 then
    sum = sum + 1
  end
end
local Class = {}
function Class:method(x)
  self.x = x
end
Class:method(
  7
)
local co = coroutine.wrap(function()
  coroutine.yield(1)
  do
    local closed <close> = setmetatable({}, { __close = function() sum = 0 end })
  end
end)
co()
co()
"#;

    /// The lines at which the line hook of Lua stops.
    fn ran(text: &str) -> BTreeSet<u32> {
        let lua = Lua::new();
        let seen = Rc::new(RefCell::new(BTreeSet::new()));
        let here = Rc::clone(&seen);
        lua.set_global_hook(HookTriggers::EVERY_LINE, move |_, debug| {
            here.borrow_mut().extend(debug.current_line().and_then(|line| u32::try_from(line).ok()));
            Ok(VmState::Continue)
        })
        .expect("a hook");
        lua.load(text).exec().expect("it runs");
        drop(lua);
        seen.take()
    }

    #[test]
    fn the_lines_that_run_are_those_that_can() {
        assert_eq!(ran(ALL), executable(ALL.as_bytes()).expect("Lua"));
        // lines far from each other, and many instructions, are written in another way
        let long =
            format!("local t = {{}}{}t[1] = 1\n{}", "\n".repeat(300), "t[#t + 1] = t[#t] + 1\n".repeat(500));
        let lines = ran(&long);
        assert_eq!(lines.len(), 502);
        assert_eq!(lines, executable(long.as_bytes()).expect("Lua"));
    }
}
