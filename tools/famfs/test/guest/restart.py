# SPDX-License-Identifier: GPL-2.0
#
# One program under whose feet the server is killed. It knows what its directory
# must have after each step, so an error, or anything lost or done twice, is
# found: at once, or when all is compared at the end.
#
# Usage: restart.py DIRECTORY SEED STOP    (until the file STOP is there)

import mmap
import os
import random
import stat
import sys

root, seed, stop = sys.argv[1], int(sys.argv[2]), sys.argv[3]
rand = random.Random(seed)
files = {}        # name: file
dirs = set()
links = {}        # symbolic ones
steps = 0


class File:
    def __init__(self):
        self.data, self.xattrs, self.names = b"", {}, set()


def path(name):
    return os.path.join(root, name)


def new_name():
    return "n%d-%d" % (seed, steps)


def pick():
    return rand.choice(sorted(files)) if files else None


def text():
    return bytes([65 + steps % 26]) * rand.choice((1, 700, 4096, 9000, 70000))


def put(name, file):
    old = files.get(name)
    if old:
        old.names.discard(name)
    files[name] = file
    file.names.add(name)


def create():
    name, file = new_name(), File()
    fd = os.open(path(name), os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o640)
    file.data = text()
    assert os.write(fd, file.data) == len(file.data)
    os.close(fd)
    put(name, file)


def append():
    name = pick()
    more = text()
    fd = os.open(path(name), os.O_WRONLY | os.O_APPEND)
    assert os.write(fd, more) == len(more)
    if rand.random() < 0.5:
        os.fsync(fd)
    os.close(fd)
    files[name].data += more


def truncate():
    name = pick()
    size = rand.randrange(0, 2 * len(files[name].data) + 2)
    os.truncate(path(name), size)
    data = files[name].data[:size]
    files[name].data = data + bytes(size - len(data))


def unlink():
    name = pick()
    os.unlink(path(name))
    files.pop(name).names.discard(name)


def rename():
    name, to = pick(), rand.choice((new_name(), pick()))
    os.rename(path(name), path(to))
    file = files[name]
    if to == name or files.get(to) is file:
        return        # of two names of one file rename() makes nothing
    file.names.discard(name)
    del files[name]
    put(to, file)


def exchange():
    # A name that is taken must be refused, and nothing else may be.
    name = pick()
    try:
        os.link(path(name), path(name))
    except FileExistsError:
        return
    raise AssertionError("a name was given twice")


def link():
    name, to = pick(), new_name()
    os.link(path(name), path(to))
    put(to, files[name])


def tmpfile():
    name, file = new_name(), File()
    fd = os.open(root, os.O_TMPFILE | os.O_RDWR, 0o600)
    file.data = text()
    assert os.write(fd, file.data) == len(file.data)
    if rand.random() < 0.5:
        # With a descriptor it is linkat(), which follows this link.
        os.link("/proc/self/fd/%d" % fd, path(name), src_dir_fd=fd)
        put(name, file)
    os.close(fd)


def mkdir():
    name = new_name()
    os.mkdir(path(name))
    dirs.add(name)


def rmdir():
    if dirs:
        name = rand.choice(sorted(dirs))
        os.rmdir(path(name))
        dirs.discard(name)


def symlink():
    name = new_name()
    os.symlink("to" + name, path(name))
    links[name] = "to" + name


def setxattr():
    name, key = pick(), "user.%d" % rand.randrange(3)
    value = text()[:200]
    flags = os.XATTR_REPLACE if key in files[name].xattrs else os.XATTR_CREATE
    os.setxattr(path(name), key, value, flags)
    files[name].xattrs[key] = value


def removexattr():
    name = pick()
    if files[name].xattrs:
        key = rand.choice(sorted(files[name].xattrs))
        os.removexattr(path(name), key)
        del files[name].xattrs[key]


def chmod():
    name = pick()
    os.chmod(path(name), 0o600 | rand.randrange(64))
    os.utime(path(name), (steps, steps))
    assert int(os.stat(path(name)).st_mtime) == steps


def store():
    name = pick()
    file = files[name]
    if not file.data:
        return
    fd = os.open(path(name), os.O_RDWR)
    at = rand.randrange(len(file.data))
    with mmap.mmap(fd, 0) as m:
        m[at] = 42
        m.flush()
    os.close(fd)
    file.data = file.data[:at] + b"*" + file.data[at + 1:]


def check(name):
    file = files[name]
    with open(path(name), "rb") as f:
        assert f.read() == file.data, name + ": other bytes"
    assert os.stat(path(name)).st_nlink == len(file.names), name + ": links"
    assert {k: os.getxattr(path(name), k) for k in os.listxattr(path(name))} \
        == file.xattrs, name + ": xattrs"


def compare():
    there = set(os.listdir(root))
    wanted = set(files) | dirs | set(links)
    assert there == wanted, "%s more, %s less" % (there - wanted,
                                                  wanted - there)
    for name in files:
        check(name)
    for name in dirs:
        assert stat.S_ISDIR(os.stat(path(name)).st_mode)
    for name in links:
        assert os.readlink(path(name)) == links[name]


always = [create, create, mkdir, rmdir, symlink, tmpfile]
with_file = [append, append, append, truncate, unlink, unlink, rename, rename,
             exchange, link, setxattr, removexattr, chmod, store]

# One file is open, and one mapped, all the time.
kept = os.open(path("kept"), os.O_CREAT | os.O_EXCL | os.O_RDWR)
os.write(kept, bytes(65536))
with mmap.mmap(kept, 65536) as mapped:
    while not os.path.exists(stop):
        steps += 1
        step = rand.choice(always if not files or len(files) < 5 else
                           always + with_file)
        if len(files) > 40:
            step = unlink
        try:
            step()
            if steps % 5 == 0 and files:
                check(pick())
        except Exception as e:
            print("step %d, %s: %s %s" % (steps, step.__name__,
                                          type(e).__name__, e))
            sys.exit(1)
        mapped[steps % 60000] = steps % 251
        os.pwrite(kept, b"%d" % steps, 65536 - 20)
    assert mapped[steps % 60000] == steps % 251
    assert os.pread(kept, len(b"%d" % steps), 65536 - 20) == b"%d" % steps
os.close(kept)
os.unlink(path("kept"))
compare()
print("%d steps, %d files" % (steps, len(files)))
