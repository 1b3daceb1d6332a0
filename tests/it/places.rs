//! `--lua-path` in whole runs: every role finds its modules there, and a run goes on with the places it began with.

use std::fs;

use tempfile::TempDir;

use crate::job::{Done, Job};

/// A folder that is no part of the project, with a module that says `word`.
fn vendor(word: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!("local inner = require './inner' return function() return '{word}' .. inner end");
    fs::write(folder.path().join("v.lua"), text).expect("a file");
    // as a distribution links its files
    fs::write(folder.path().join("stored.txt"), "return '!'").expect("a file");
    std::os::unix::fs::symlink("stored.txt", folder.path().join("inner.lua")).expect("a link");
    folder
}

fn at(folder: &TempDir) -> String {
    format!("{}/?.lua;;", folder.path().display())
}

/// Every role asks for the module; the second task fails while the file `bad` is there.
fn job() -> Job {
    let script = r#"
      local v, own = require "v", require "own"
      return {
        tasks = function(put) put(#v()) put(2) end,
        worker = function(n)
          if n == 2 and io.open("bad") then error("it is bad") end
          return require "v"() .. own
        end,
        handler = function(meta, word) meta.words = meta.words .. word end,
        finish = function(meta) return meta.words .. v() end,
      }"#;
    Job::new().meta("words = ''").set("handler", "ordered = true").processes(1).script(script)
}

fn begun(vendor: &TempDir) -> Done {
    let job = job().file("own.lua", "return ' own '").file("bad", "");
    let done = job.arg("--lua-path").arg(&at(vendor)).run();
    done.exit(1).finished_with("far! own far!");
    done
}

#[test]
fn without_the_places_nothing_begins() {
    let done = job().file("own.lua", "").run();
    done.exit(2).says("module 'v' not found").never_says("--lua-path has no");
}

#[test]
fn a_run_goes_on_with_the_places_it_began_with() {
    let vendor = vendor("far");
    let first = begun(&vendor);
    fs::remove_file(first.path("bad")).expect("the file is there");
    let done = first.then("resume --retry-failed --strict").wait();
    done.exit(0).finished_with("far! own far! own far!");
}

#[test]
fn places_are_relative_to_the_shell_and_stay_where_they_were() {
    let vendor = vendor("far");
    let job = job().file("own.lua", "return ' own '").file("bad", "");
    std::os::unix::fs::symlink(vendor.path(), job.path("vendor")).expect("a link");
    let first = job.arg("--lua-path").arg("vendor/?.lua;;").run();
    first.exit(1);
    fs::remove_file(first.path("bad")).expect("the file is there");
    fs::create_dir(first.path("deep")).expect("a folder");
    let done = first.then_shell("cd deep && MPMS resume --retry-failed").wait();
    done.exit(0).finished_with("far! own far! own far!");
}

#[test]
fn other_places_are_a_change_that_strict_refuses() {
    let (vendor, other) = (vendor("far"), self::vendor("near"));
    let first = begun(&vendor);
    fs::remove_file(first.path("bad")).expect("the file is there");
    let (was, is) = (at(&vendor), at(&other));
    let refused = first.look(&format!("resume --retry-failed --strict --lua-path {is}"));
    refused.exit(2).says(&format!("--lua-path was {was}, is {is}"));
    let done = first.then(&format!("resume --retry-failed --lua-path {is}")).wait();
    done.exit(0).finished_with("far! own near! own near!").says(&format!("--lua-path was {was}, is {is}"));
}
