#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The namespace as POSIX has it: what programs may do with names, attributes and
# special files, and what they are told where they may not.

. "$(dirname "$0")/lib.sh"

fresh || exit 1
cat > "$work/names.py" <<'P'
import ctypes, errno, fcntl, os, socket, stat, struct, sys, time
root = sys.argv[1]
os.chdir(root)
libc = ctypes.CDLL(None, use_errno=True)
results = []

def test(text):
    def run(f):
        try:
            f()
            results.append((True, text))
        except Exception as e:
            for line in ("%s: %s" % (type(e).__name__, e)).split("\n"):
                print("# Expected:", line)
            results.append((False, text))
        print("%s %d %s" % ("ok" if results[-1][0] else "not ok",
                            len(results), text), flush=True)
    return run

def fails(number, f, *args, **kwargs):
    try:
        f(*args, **kwargs)
    except OSError as e:
        assert e.errno == number, "%s, not %s" % (errno.errorcode[e.errno],
                                                  errno.errorcode[number])
        return
    raise AssertionError("it works, not %s" % errno.errorcode[number])

def rename2(old, new, flags):
    if libc.renameat2(-100, old.encode(), -100, new.encode(), flags):
        n = ctypes.get_errno()
        raise OSError(n, os.strerror(n))

def make(name, text="x"):
    with open(name, "w") as f:
        f.write(text)

def read(name):
    with open(name) as f:
        return f.read()

print("1..34")

@test("names of 255 bytes, and of 256")
def _():
    make("n" * 255)
    assert os.listdir(".") == ["n" * 255]
    fails(errno.ENAMETOOLONG, make, "n" * 256)
    os.unlink("n" * 255)

@test("names of any bytes but NUL and /")
def _():
    name = bytes(b for b in range(1, 128) if b != 47)
    open(name, "w").close()
    assert os.listdir(b".") == [name]
    os.unlink(name)

@test("a depth of 1,000")
def _():
    here = os.open(".", os.O_RDONLY)
    for i in range(1000):
        os.mkdir("d")
        os.chdir("d")
    make("bottom")
    for i in range(1000):
        os.chdir("..")
    assert os.path.samefile(".", here)
    os.fchdir(here)
    os.close(here)
    assert os.system("rm -rf d") == 0
    assert os.listdir(".") == []

@test("O_CREAT | O_EXCL of what is there")
def _():
    make("f")
    fails(errno.EEXIST, os.open, "f", os.O_CREAT | os.O_EXCL)
    os.unlink("f")

@test("links of a file, and their count")
def _():
    make("a")
    os.link("a", "b")
    assert os.stat("a").st_nlink == 2 and os.path.samefile("a", "b")
    os.unlink("a")
    assert os.stat("b").st_nlink == 1 and read("b") == "x"
    os.unlink("b")

@test("a directory has one name")
def _():
    os.mkdir("d")
    fails(errno.EPERM, os.link, "d", "e")
    fails(errno.EISDIR, os.unlink, "d")
    os.rmdir("d")

@test("link counts of directories")
def _():
    os.mkdir("d")
    os.mkdir("d/e")
    assert os.stat("d").st_nlink == 3
    fails(errno.ENOTEMPTY, os.rmdir, "d")
    os.rmdir("d/e")
    assert os.stat("d").st_nlink == 2
    os.rmdir("d")

@test("symbolic links, of up to 4,095 bytes")
def _():
    os.symlink("t" * 4095, "s")
    assert os.readlink("s") == "t" * 4095 and os.lstat("s").st_size == 4095
    for size in 4096, 65535, 65536:
        fails(errno.ENAMETOOLONG, os.symlink, "t" * size, "s2")
    assert os.listdir(".") == ["s"]
    os.unlink("s")

@test("rename within and between directories")
def _():
    os.mkdir("d")
    make("a", "1")
    os.rename("a", "d/b")
    assert read("d/b") == "1" and not os.path.exists("a")
    make("c", "2")
    os.rename("c", "d/b")
    assert read("d/b") == "2" and os.listdir("d") == ["b"]
    os.rename("d/b", "b")
    os.rmdir("d")
    os.unlink("b")

@test("rename of directories")
def _():
    os.makedirs("a/b/c")
    fails(errno.EINVAL, os.rename, "a", "a/b/d")
    os.mkdir("e")
    os.rename("a/b", "e/b")
    assert os.listdir("e/b") == ["c"] and os.stat("a").st_nlink == 2
    fails(errno.ENOTEMPTY, os.rename, "a", "e")
    make("f")
    fails(errno.ENOTDIR, os.rename, "a", "f")
    fails(errno.EISDIR, os.rename, "f", "a")
    os.rename("a", "e/b/c")
    os.unlink("f")
    assert os.system("rm -rf e") == 0

@test("RENAME_NOREPLACE")
def _():
    make("a", "1")
    make("b", "2")
    fails(errno.EEXIST, rename2, "a", "b", 1)
    rename2("a", "c", 1)
    assert read("c") == "1"
    os.unlink("b")
    os.unlink("c")

@test("RENAME_EXCHANGE of files, and of a file and a directory")
def _():
    make("a", "1")
    make("b", "2")
    rename2("a", "b", 2)
    assert read("a") == "2" and read("b") == "1"
    os.mkdir("d")
    make("d/x", "3")
    rename2("a", "d", 2)
    assert read("d") == "2" and read("a/x") == "3"
    fails(errno.ENOENT, rename2, "a", "nothing", 2)
    for f in ("b", "d", "a/x"):
        os.unlink(f)
    os.rmdir("a")

@test("RENAME_WHITEOUT is refused")
def _():
    make("a")
    fails(errno.EINVAL, rename2, "a", "b", 4)
    os.unlink("a")

@test("rename of one link over the other does nothing")
def _():
    make("a")
    os.link("a", "b")
    os.rename("a", "b")
    assert sorted(os.listdir(".")) == ["a", "b"]
    os.unlink("a")
    os.unlink("b")

@test("O_TMPFILE, and giving it a name")
def _():
    fd = os.open(".", os.O_TMPFILE | os.O_RDWR)
    os.write(fd, b"temporary")
    assert os.listdir(".") == [] and os.fstat(fd).st_nlink == 0
    assert libc.linkat(-100, b"/proc/self/fd/%d" % fd, -100, b"named",
                       0x400) == 0
    os.close(fd)
    assert read("named") == "temporary"
    os.unlink("named")

@test("FIFOs, sockets and device nodes")
def _():
    os.mkfifo("p")
    s = socket.socket(socket.AF_UNIX)
    s.bind("s")
    os.mknod("c", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    os.mknod("b", stat.S_IFBLK | 0o600, os.makedev(7, 300))
    assert stat.S_ISFIFO(os.stat("p").st_mode)
    assert stat.S_ISSOCK(os.stat("s").st_mode)
    assert os.stat("c").st_rdev == os.makedev(1, 3)
    assert os.stat("b").st_rdev == os.makedev(7, 300)
    os.write(os.open("c", os.O_WRONLY), b"x")
    r = os.open("p", os.O_RDONLY | os.O_NONBLOCK)
    w = os.open("p", os.O_WRONLY)
    os.write(w, b"through")
    assert os.read(r, 10) == b"through"
    for f in "pscb":
        os.unlink(f)

@test("umask, chmod and the set-user-ID bit")
def _():
    old = os.umask(0o027)
    make("f")
    os.mkdir("d")
    os.umask(old)
    assert os.stat("f").st_mode & 0o7777 == 0o640
    assert os.stat("d").st_mode & 0o7777 == 0o750
    os.chmod("f", 0o4755)
    assert os.stat("f").st_mode & 0o7777 == 0o4755
    with open("f", "a") as f:
        f.write("more")
    # Root keeps it: CAP_FSETID.
    os.chown("f", 1000, 1000)
    assert os.stat("f").st_mode & 0o7777 == 0o755
    os.unlink("f")
    os.rmdir("d")

@test("the set-group-ID bit of directories")
def _():
    os.mkdir("d")
    os.chown("d", 0, 1234)
    os.chmod("d", 0o2775)
    make("d/f")
    os.mkdir("d/e")
    assert os.stat("d/f").st_gid == 1234
    assert os.stat("d/e").st_gid == 1234
    assert os.stat("d/e").st_mode & stat.S_ISGID
    assert os.system("rm -r d") == 0

@test("permissions count for users")
def _():
    make("secret")
    os.chmod("secret", 0o600)
    pid = os.fork()
    if not pid:
        os.setgid(1000)
        os.setuid(1000)
        try:
            open("secret")
        except PermissionError:
            try:
                make("new")
            except PermissionError:
                os._exit(0)
        os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0
    os.unlink("secret")

@test("times: utimens, and what writing, reading and renaming do")
def _():
    make("f")
    os.utime("f", ns=(1234567890123456789, 987654321987654321))
    s = os.stat("f")
    assert s.st_atime_ns == 1234567890123456789, s.st_atime_ns
    assert s.st_mtime_ns == 987654321987654321, s.st_mtime_ns
    before = os.stat("f").st_ctime_ns
    time.sleep(0.05)
    os.rename("f", "g")
    assert os.stat("g").st_ctime_ns > before
    assert os.stat("g").st_mtime_ns == 987654321987654321
    with open("g", "a") as f:
        f.write("x")
    assert os.stat("g").st_mtime_ns > before
    os.unlink("g")

@test("a directory's time moves with what is in it")
def _():
    os.mkdir("d")
    for step in (lambda: make("d/a"), lambda: os.rename("d/a", "d/b"),
                 lambda: os.link("d/b", "d/c"), lambda: os.unlink("d/b"),
                 lambda: os.unlink("d/c"), lambda: os.mkdir("d/e"),
                 lambda: os.rmdir("d/e")):
        before = os.stat("d").st_mtime_ns
        time.sleep(0.03)
        step()
        assert os.stat("d").st_mtime_ns > before
    os.rmdir("d")

@test("extended attributes")
def _():
    make("f")
    os.setxattr("f", "user.one", b"1")
    os.setxattr("f", "user.two", b"")
    os.setxattr("f", "user.big", b"b" * 65536)
    assert os.getxattr("f", "user.one") == b"1"
    assert os.getxattr("f", "user.two") == b""
    assert os.getxattr("f", "user.big") == b"b" * 65536
    assert sorted(os.listxattr("f")) == ["user.big", "user.one", "user.two"]
    fails(errno.EEXIST, os.setxattr, "f", "user.one", b"2", os.XATTR_CREATE)
    fails(errno.ENODATA, os.setxattr, "f", "user.no", b"2", os.XATTR_REPLACE)
    os.setxattr("f", "user.one", b"22", os.XATTR_REPLACE)
    assert os.getxattr("f", "user.one") == b"22"
    os.removexattr("f", "user.one")
    fails(errno.ENODATA, os.getxattr, "f", "user.one")
    fails(errno.ENODATA, os.removexattr, "f", "user.one")
    os.setxattr("f", "trusted.t", b"t")
    os.symlink("f", "s")
    os.setxattr("s", "trusted.s", b"s", follow_symlinks=False)
    assert os.getxattr("s", "trusted.s", follow_symlinks=False) == b"s"
    os.unlink("s")
    os.unlink("f")

@test("trusted attributes are listed to root alone")
def _():
    make("f")
    os.setxattr("f", "trusted.t", b"t")
    os.setxattr("f", "user.one", b"1")
    os.setxattr("f", "trusted.u", b"u")
    assert sorted(os.listxattr("f")) == ["trusted.t", "trusted.u", "user.one"]
    os.chmod("f", 0o644)
    pid = os.fork()
    if not pid:
        os.setgid(1000)
        os.setuid(1000)
        room = ctypes.create_string_buffer(9)
        libc.listxattr.restype = ctypes.c_ssize_t
        ok = os.listxattr("f") == ["user.one"]
        ok = ok and libc.listxattr(b"f", None, 0) == 9
        ok = ok and libc.listxattr(b"f", room, 9) == 9
        ok = ok and libc.listxattr(b"f", room, 8) == -1
        ok = ok and ctypes.get_errno() == errno.ERANGE
        os._exit(not ok)
    assert os.waitpid(pid, 0)[1] == 0
    os.unlink("f")

@test("access control lists are refused, not ignored")
def _():
    make("f")
    fails(errno.EOPNOTSUPP, os.setxattr, "f", "system.posix_acl_access",
          struct.pack("<IHHIHHIHHI", 2, 1, 6, 0xffffffff, 4, 4, 0xffffffff,
                      32, 4, 0xffffffff))
    os.unlink("f")

@test("append, by two descriptors")
def _():
    a = os.open("f", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    b = os.open("f", os.O_WRONLY | os.O_APPEND)
    for i in range(2000):
        os.write(a, b"aaaa")
        os.write(b, b"bbbb")
    assert read("f") == "aaaabbbb" * 2000
    os.close(a)
    os.close(b)
    os.unlink("f")

@test("truncate and fallocate")
def _():
    make("f", "x" * 10000)
    os.truncate("f", 5000)
    os.truncate("f", 20000)
    assert read("f") == "x" * 5000 + "\0" * 15000
    fd = os.open("f", os.O_RDWR)
    os.posix_fallocate(fd, 0, 3000000)
    assert os.fstat(fd).st_size == 3000000
    fails(errno.EOPNOTSUPP, lambda: libc.fallocate(fd, 3, ctypes.c_long(0),
          ctypes.c_long(4096)) and (_ for _ in ()).throw(
          OSError(ctypes.get_errno(), "")))
    os.close(fd)
    with open("f", "w"):
        pass
    assert os.stat("f").st_size == 0
    os.unlink("f")

@test("a write far behind the end")
def _():
    fd = os.open("f", os.O_CREAT | os.O_RDWR)
    os.pwrite(fd, b"end", 5000000)
    assert os.fstat(fd).st_size == 5000003
    assert os.pread(fd, 10, 4999996) == b"\0\0\0\0end"
    os.close(fd)
    os.unlink("f")

@test("flock and fcntl locks")
def _():
    make("f")
    a, b = open("f", "r+"), open("f", "r+")
    fcntl.flock(a, fcntl.LOCK_EX)
    fails(errno.EWOULDBLOCK, fcntl.flock, b, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(a, fcntl.LOCK_UN)
    fcntl.flock(b, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.lockf(a, fcntl.LOCK_EX)
    os.unlink("f")

@test("listing 3,000 names while they are removed")
def _():
    os.mkdir("d")
    for i in range(3000):
        os.close(os.open("d/%d" % i, os.O_CREAT | os.O_WRONLY))
    assert len(os.listdir("d")) == 3000
    seen = 0
    with os.scandir("d") as it:
        for e in it:
            seen += 1
            os.unlink("d/" + e.name)
    assert seen == 3000, seen
    os.rmdir("d")

@test("what is removed stays usable while it is open")
def _():
    fd = os.open("f", os.O_CREAT | os.O_RDWR)
    os.write(fd, b"still")
    os.unlink("f")
    os.write(fd, b" here" * 100000)
    assert os.fstat(fd).st_nlink == 0
    os.ftruncate(fd, 10)
    assert os.pread(fd, 20, 0) == b"still here"
    os.fchmod(fd, 0o600)
    os.close(fd)

@test("a directory that was removed takes nothing")
def _():
    os.mkdir("d")
    fd = os.open("d", os.O_RDONLY)
    os.rmdir("d")
    fails(errno.ENOENT, os.open, "x", os.O_CREAT | os.O_WRONLY, dir_fd=fd)
    assert os.listdir(fd) == []
    os.close(fd)

@test("copy_file_range and sendfile")
def _():
    make("a", "copy" * 50000)
    a, b = os.open("a", os.O_RDONLY), os.open("b", os.O_CREAT | os.O_RDWR)
    assert os.copy_file_range(a, b, 100000) == 100000
    assert os.sendfile(b, a, 100000, 100000) == 100000
    os.close(a)
    os.close(b)
    assert read("b") == "copy" * 50000
    os.unlink("a")
    os.unlink("b")

@test("statvfs")
def _():
    time.sleep(3)
    s = os.statvfs(".")
    assert s.f_namemax == 255 and s.f_bfree <= s.f_blocks
    make("f", "x" * 100000)
    after, blocks = os.statvfs("."), os.stat("f").st_blocks
    assert after.f_bfree < s.f_bfree, "%d %d" % (after.f_bfree, s.f_bfree)
    assert blocks * 512 >= 100000, blocks
    os.unlink("f")

@test("nothing is left")
def _():
    assert os.listdir(".") == []
P
python3 "$work/names.py" $mnt
cd /
umount $mnt && fsck.famfs -q "$dev"
