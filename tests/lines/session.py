#!/usr/bin/env python3
"""A person at `mpms lua`, on a terminal of its own: session.py PROGRAM. Says what went another way."""

import os
import pty
import re
import select
import signal
import sys
import tempfile
import time

program = sys.argv[1]
state = tempfile.mkdtemp()


class Session:
    def __init__(self):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(XDG_STATE_HOME=state, TERM="xterm", NO_COLOR="1")
            os.execv(program, [program, "lua"])
        self.seen = ""
        self.until("> ")

    def until(self, wanted):
        """What came up to and with this text."""
        end = time.monotonic() + 20
        while wanted not in self.seen:
            ready = select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]
            assert ready, f"no {wanted!r} in {self.seen!r}"
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                data = b""
            assert data, f"it ended without {wanted!r}: {self.seen!r}"
            self.seen += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", data.decode(errors="replace"))
        at = self.seen.index(wanted) + len(wanted)
        out, self.seen = self.seen[:at], self.seen[at:]
        return out

    def type(self, text):
        os.write(self.fd, text.encode())

    def ask(self, text, answer):
        self.type(text + "\r")
        self.until(answer)
        self.until("> ")

    def ends(self, code):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                assert os.waitstatus_to_exitcode(status) == code, status
                return
            if select.select([self.fd], [], [], 0.05)[0]:
                try:
                    os.read(self.fd, 65536)
                except OSError:
                    pass
        raise AssertionError("it did not end")


one = Session()
one.ask("1 + 41", "\n42\r\n")
one.ask("= 'a', nil", "\"a\"\tnil")
one.ask("x = { 1, b = 2 }", "\n")
one.ask("x", "{ 1,\r\n  b = 2\r\n}")
# several lines: nothing is run before the end
one.type("for i = 1, 2 do\r")
one.type("print('line ' .. i)\r")
one.ask("end", "line 1\r\nline 2")
# an error ends nothing
one.ask("mpms.fs.read('/no/such')", "code: not_found")
one.ask("error('my own')", "my own")
one.ask("y = = 1", "unexpected symbol")
# completion from the live tables
one.type("mpms.url.par\t")
one.until("parse")
one.type("\x15")
one.ask("mpms.co.sle\t(0) or 'slept'", "slept")
# help
one.ask(":doc url.domain", "The domain that somebody registered")
one.ask(":help", "Ctrl-D")
one.ask(":nothing", "unknown command")
# Ctrl-C at the prompt, in a loop, and in a call that waits
one.type("half a line\x03")
one.until("> ")
for body in ["while true do end", "while true do pcall(error) end", "sleep(60)"]:
    one.type(f"print('begins ' .. {len(body)}) {body}\r")
    one.until(f"begins {len(body)}\r\n")
    one.type("\x03")
    one.until("interrupted" if "sleep" not in body else "error")
    one.until("> ")
one.ask("'still here'", "still here")
one.type("\x04")
one.ends(0)

# what was typed is there again, also what had several lines
two = Session()
two.type("\x1b[A\x1b[A")
two.until("sleep(60)")
two.type("\x15")
two.type("os.exit(3)\r")
two.ends(3)

history = open(os.path.join(state, "mpms/lua_history")).read()
assert "for i = 1, 2 do\\nprint('line ' .. i)\\nend" in history, history

# by a signal from outside, while something runs
three = Session()
three.type("print('runs') while true do end\r")
three.until("runs\r\n")
os.kill(three.pid, signal.SIGINT)
three.until("interrupted")
three.type(":quit\r")
three.ends(0)
print("ok")
