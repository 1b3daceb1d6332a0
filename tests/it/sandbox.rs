//! What a script must not do, and what its processes hold.

use crate::job::Job;
use crate::processes::descriptors;

#[test]
fn binary_code_c_modules_exits_and_finalizers_are_refused() {
    let script = r#"
      local function f() return 1 end
      local function refused(what, ok, problem)
        assert(not ok, what .. " was allowed")
        return tostring(problem)
      end
      return { worker = function()
        local binary = string.dump(f)
        refused("load", load(binary))
        refused("load with mode", load(binary, "x", "b"))
        refused("load with both modes", load(binary, "x", "bt"))
        refused("load by pieces", load(function() local b = binary binary = nil return b end))
        mpms.fs.write("binary.lua", string.dump(f))
        refused("loadfile", loadfile("binary.lua"))
        refused("dofile", pcall(dofile, "binary.lua"))
        refused("require of binary", pcall(require, "binary"))
        refused("loadlib", pcall(function() return assert(package.loadlib("libc.so.6", "*")) end))
        refused("os.exit", pcall(os.exit, 0))
        refused("__gc", pcall(setmetatable, { }, { __gc = function() end }))
        assert(debug.getlocal == nil and debug.getregistry == nil and debug.getmetatable == nil and debug.upvalueid == nil)
        refused("__gc by debug", pcall(debug.setmetatable, { }, { __gc = function() end }))
        refused("the library's metatable", pcall(debug.setmetatable, mpms.fs, nil))
        refused("a file's metatable", pcall(debug.setmetatable, io.open("binary.lua"), nil))
        refused("what a library function holds", debug.getupvalue(mpms.fs.read, 1))
        refused("another for it", debug.setupvalue(mpms.fs.read, 1, print))
        assert(debug.gethook() == nil and not pcall(debug.sethook, print, "l") and pcall(debug.sethook))
        return "all refused"
      end }"#;
    let done = Job::new().range(1, 1).processes(1).script(script).run();
    done.exit(0);
    assert_eq!(done.stdout, "\"all refused\"\n");
}

#[test]
fn a_binary_script_is_refused() {
    let job = Job::new().range(1, 1).set("", "script = 'binary.lua'");
    let job = job.file("binary.lua", b"\x1bLua\x54\x00\x19\x93\r\n\x1a\n\x04\x08\x08xV");
    job.run().exit(2).says("binary.lua");
}

#[test]
fn a_worker_holds_its_socket_and_what_its_own_loop_needs_and_commands_inherit_nothing() {
    let script = r#"return { worker = function()
      os.execute("ls -l /proc/self/fd | awk '{print $9}' | sort >inherited")
      io.open("ready", "w"):write("x\n"):close() sleep(1) end }"#;
    let mut run = Job::new().range(1, 1).processes(1).threads(2).script(script).start();
    run.until_lines("ready", 1);
    let held = descriptors(run.workers()[0]);
    run.wait().exit(0).says("1 ok");
    let kinds: Vec<&str> = held.iter().map(|(_, to)| to.split(['[', ':']).next().expect("a kind")).collect();
    assert_eq!(kinds[..4], ["/dev/null", "pipe", "pipe", "socket"], "{held:?}");
    for (number, to) in &held[4..] {
        // the epoll and the eventfd of the reading thread; the others are of the thread that sleeps, and the handle to the
        // command whose leftovers end with the attempt
        let known = ["anon_inode:[eventpoll]", "anon_inode:[eventfd]", "anon_inode:[pidfd]"];
        assert!(known.contains(&to.as_str()) || to.starts_with("socket:"), "{number}: {to} of {held:?}");
    }
}

#[test]
fn a_command_inherits_the_standard_descriptors_only() {
    let list = "for fd in /proc/self/fd/*; do readlink $fd >/dev/null && echo ${fd##*/}; done | tr '\\n' ' '";
    let by_lua = format!(
        r#"return {{ worker = function()
        local pipe = io.popen([[{list}]]) local said = pipe:read("a") pipe:close() return said end }}"#
    );
    let done = Job::new().range(1, 1).processes(1).script(&by_lua).run();
    done.exit(0);
    let numbers =
        |text: &str| -> Vec<u32> { text.split_whitespace().filter_map(|word| word.parse().ok()).collect() };
    let inherited = numbers(done.stdout.trim().trim_matches('"'));
    assert!(inherited.iter().all(|number| *number <= 2), "{inherited:?}");
    let job =
        Job::new().range(1, 1).processes(1).set("worker", format!("command = ['sh', '-c', '''{list}''']"));
    let done = job.run();
    done.exit(0);
    let inherited = numbers(&done.stdout.replace(['"', '\\', ':', ',', '{', '}'], " "));
    assert!(inherited.iter().all(|number| *number <= 2), "{inherited:?}");
}
