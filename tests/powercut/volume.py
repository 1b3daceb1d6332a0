"""A disk that loses its power: from the record of what a program did, the folder as it may look afterwards.

What is promised by POSIX and nothing more: the data of a file is safe once a sync of the file, begun after the write, has ended;
a name in a folder is safe once a sync of the folder has ended. Of everything else any part may have reached the disk.
With `ext4` a sync of any file makes the names safe too, as that file system does it.
"""

import os
import struct
from pathlib import Path

(CREATE, WRITE, TRUNCATE, SYNC_BEGIN, SYNC_END, RENAME, LINK, UNLINK, MKDIR, RMDIR, EXTEND, SAID, MAPPED, NOT_MODELLED,
 SYNC_ALL, FAILED) = range(1, 17)
NAMES = ("create write truncate sync-begin sync-end rename link unlink mkdir rmdir extend said mapped not-modelled "
         "sync-all failed").split()
HEAD = struct.Struct("<BiQqq")


class Op:
    __slots__ = ("kind", "pid", "inode", "a", "b", "path", "to", "data", "end")

    def __repr__(self):
        return f"{NAMES[self.kind - 1]} {self.path} {self.to} {self.a} {len(self.data)} bytes (process {self.pid})"


def read_log(path):
    """All records, in order; `end` is where each one ends in the log."""
    log, at, ops = Path(path).read_bytes(), 0, []

    def text(at):
        size = int.from_bytes(log[at:at + 2], "little")
        return log[at + 2:at + 2 + size].decode(errors="surrogateescape"), at + 2 + size

    while at < len(log):
        size = int.from_bytes(log[at:at + 4], "little")
        op = Op()
        op.kind, op.pid, op.inode, op.a, op.b = HEAD.unpack_from(log, at + 4)
        op.path, here = text(at + 4 + HEAD.size)
        op.to, here = text(here)
        op.end = at + 4 + size
        op.data = log[here + 4:op.end]
        assert here + 4 <= op.end <= len(log), "a torn record"
        ops.append(op)
        at = op.end
    return ops


class File:
    """What is safe, and what was asked for since then, each with its place in the log."""

    def __init__(self, content=b""):
        self.safe = bytearray(content)
        self.pending = []

    def settle(self, before):
        """A sync that began at `before` has ended."""
        for number, (place, step) in enumerate(self.pending):
            if place >= before:
                del self.pending[:number]
                return
            apply(self.safe, step)
        self.pending.clear()


def apply(content, step):
    kind, at, data = step
    if kind == WRITE:
        if at > len(content):
            content.extend(bytes(at - len(content)))
        content[at:at + len(data)] = data
    elif kind == TRUNCATE and at < len(content):
        del content[at:]
    elif at > len(content):
        content.extend(bytes(at - len(content)))


class Volume:
    """The state after the first `cut` records."""

    def __init__(self, root, before, ops, cut, ext4=False):
        """`before` maps each path that existed to its inode and content (None for a folder)."""
        self.root, self.ext4 = root, ext4
        self.files, self.folders = {}, {}  # by number; a number is never used twice, an inode may be
        self.safe_names, self.names, self.pending_names = {}, {}, []  # (folder, name) -> number
        self.number_of, self.next = {}, 1
        self.begun = {}
        for path, (inode, content) in sorted(before.items()):
            number = self.new(inode, content)
            if path != root:
                at = (self.folder(os.path.dirname(path)), os.path.basename(path))
                self.names[at] = self.safe_names[at] = number
            else:
                self.top = number
        for place, op in enumerate(ops[:cut]):
            self.take(place, op)

    def new(self, inode, content):
        number, self.next = self.next, self.next + 1
        self.number_of[inode] = number
        if content is None:
            self.folders[number] = inode
        else:
            self.files[number] = File(content)
        return number

    def folder(self, path):
        number = self.top
        for name in os.path.relpath(path, self.root).split("/"):
            if name != ".":
                number = self.names[number, name]
        return number

    def place_of(self, path):
        return self.folder(os.path.dirname(path)), os.path.basename(path)

    def take(self, place, op):
        kind = op.kind
        if kind in (WRITE, TRUNCATE, EXTEND):
            at = op.a
            self.files[self.number_of[op.inode]].pending.append((place, (kind, at, op.data)))
        elif kind == SYNC_BEGIN:
            self.begun[op.pid, op.a] = place
        elif kind == SYNC_END:
            self.synced(self.number_of[op.inode], self.begun[op.pid, op.a])
        elif kind == SYNC_ALL:
            for file in self.files.values():
                file.settle(place)
            self.settle_names(place, lambda _: True)
        elif kind in (CREATE, MKDIR):
            at = self.place_of(op.path)
            number = self.new(op.inode, b"" if kind == CREATE else None)
            self.change(place, [(at, number)])
        elif kind in (UNLINK, RMDIR):
            self.change(place, [(self.place_of(op.path), None)])
        elif kind == RENAME:
            old = self.place_of(op.path)
            self.change(place, [(self.place_of(op.to), self.names[old]), (old, None)])
        elif kind == LINK:
            self.change(place, [(self.place_of(op.to), self.names[self.place_of(op.path)])])
        elif kind in (MAPPED, NOT_MODELLED) and not op.path.endswith("-shm"):
            raise SystemExit(f"the recorder cannot follow this: {op}")

    def change(self, place, changes):
        self.pending_names.append((place, changes))
        set_names(self.names, changes)

    def synced(self, number, begun):
        if number in self.files:
            self.files[number].settle(begun)
            if self.ext4:
                self.settle_names(begun, lambda _: True)
        else:
            self.settle_names(begun, lambda changes: any(at[0] == number for at, _ in changes))

    def settle_names(self, begun, concerned):
        left = []
        for place, changes in self.pending_names:
            if place < begun and concerned(changes):
                set_names(self.safe_names, changes)
            else:
                left.append((place, changes))
        self.pending_names = left

    def as_it_is(self):
        """Path to content, None for folders: nothing lost."""
        content = {number: self.everything(file) for number, file in self.files.items()}
        return self.tree(self.names, content)

    @staticmethod
    def everything(file):
        content = bytearray(file.safe)
        for _, step in file.pending:
            apply(content, step)
        return content

    def after_the_cut(self, random):
        """The same of one folder that may be found after the power is back."""
        names = dict(self.safe_names)
        for changes in survivors(self.pending_names, random):
            set_names(names, changes)
        same = random.choice(STYLES) if random.random() < 0.4 else None
        sector = random.choice((512, 512, 4096))
        content = {}
        for number, file in self.files.items():
            if file.pending:
                content[number] = self.remains(file, same or random.choice(STYLES), sector, random)
            else:
                content[number] = file.safe
        return self.tree(names, content)

    def remains(self, file, style, sector, random):
        if style == "nothing":
            found = bytearray(file.safe)
        elif style == "everything":
            return self.everything(file)
        elif style == "torn":
            # All up to some moment, then a part of one write.
            last = random.randrange(len(file.pending))
            found = bytearray(file.safe)
            for _, step in file.pending[:last]:
                apply(found, step)
            pieces = list(sectors(file.pending[last][1], sector))
            for piece in pieces[:random.randint(0, len(pieces))]:
                apply(found, piece)
        else:
            # Any subset. Of two writes to one sector the later one wins or is lost, which is every order there can be.
            chance = random.choice((0.03, 0.2, 0.5, 0.8, 0.97))
            found = bytearray(file.safe)
            for _, step in file.pending:
                for piece in sectors(step, sector):
                    if random.random() < chance:
                        apply(found, piece)
        size = random.random()
        if size < 0.25:
            # The size reached the disk, the data did not.
            found.extend(bytes(max(0, len(self.everything(file)) - len(found))))
        elif size < 0.5 and len(found) > len(file.safe):
            # The data did, the size did not.
            del found[max(len(file.safe), random.randrange(len(file.safe), len(found) + 1) // sector * sector):]
        return found

    def tree(self, names, content):
        below = {}
        for (folder, name), number in names.items():
            below.setdefault(folder, []).append((name, number))
        found, todo = {}, [(self.top, "")]
        while todo:
            folder, path = todo.pop()
            for name, number in below.get(folder, ()):
                if number in self.folders:
                    found[path + name] = None
                    todo.append((number, path + name + "/"))
                else:
                    found[path + name] = content[number]
        return found


STYLES = ("nothing", "everything", "torn", "torn", "subset", "subset", "subset")


def set_names(names, changes):
    for at, number in changes:
        if number is None:
            names.pop(at, None)
        else:
            names[at] = number


def survivors(pending, random):
    style = random.randrange(4)
    if style == 0:
        return []
    if style == 1:
        return [changes for _, changes in pending]
    if style == 2:
        return [changes for _, changes in pending[:random.randint(0, len(pending))]]
    return [changes for _, changes in pending if random.random() < 0.5]


def sectors(step, sector):
    """A write in the pieces that a disk writes whole."""
    kind, at, data = step
    if kind != WRITE:
        yield step
        return
    done = 0
    while done < len(data):
        size = min(sector - (at + done) % sector, len(data) - done)
        yield WRITE, at + done, data[done:done + size]
        done += size


def snapshot(root):
    """What is in a folder before the recording: path to (inode, content), folders without content."""
    found = {root: (os.stat(root).st_ino, None)}
    for folder, folders, files in os.walk(root):
        for name in folders:
            path = os.path.join(folder, name)
            found[path] = (os.stat(path).st_ino, None)
        for name in files:
            path = os.path.join(folder, name)
            found[path] = (os.stat(path).st_ino, Path(path).read_bytes())
    return found


def build(tree, to, random=None):
    """Writes such a folder. SQLite's `-shm` is never trusted after a crash: it is left out, or full of zeros."""
    os.makedirs(to, exist_ok=True)
    for path, content in sorted(tree.items()):
        target = os.path.join(to, path)
        if content is None:
            os.makedirs(target, exist_ok=True)
        elif not path.endswith("-shm") or (random and random.random() < 0.5):
            with open(target, "wb") as file:
                file.write(bytes(len(content)) if path.endswith("-shm") else content)


def differences(tree, folder):
    """Where a folder differs from what the record says of it: calls that the recorder has not seen."""
    real = {os.path.relpath(path, folder): content for path, (_, content) in snapshot(folder).items() if path != folder}
    wrong = []
    for path in sorted(set(real) | set(tree)):
        if path.endswith("-shm"):
            continue
        if path not in real or path not in tree:
            wrong.append(f"{path} is only in the {'folder' if path in real else 'record'}")
        elif (real[path] is None) != (tree[path] is None) or (real[path] is not None and real[path] != tree[path]):
            wrong.append(f"{path} has other bytes")
    return wrong
