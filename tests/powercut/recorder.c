// Records what a program does to the files below one folder, without changes to the program: preload it with LD_PRELOAD.
//
// Environment: POWERCUT_LOG (the record, appended to), POWERCUT_ROOT (the folder, absolute, without links), POWERCUT_PARENT (the
// process whose child is the one that speaks to the user: what it writes to its standard output is recorded too),
// POWERCUT_SYNC_US (microseconds that every sync takes longer, as on a slow disk), POWERCUT_KILL_AT (that child kills itself
// after so many records).
//
// POWERCUT_FAIL (`N:errno` or `N:errno:always`) lets the N-th call of that child which would change the folder fail, or
// that one and all later ones.
//
// A record of the log, little-endian, without gaps:
//   u32 length of the rest, u8 kind, i32 pid, u64 inode, i64 a, i64 b, u16+path, u16+second path, u32+data
// Calls that change something are recorded after they succeeded and before they return, under one lock, so that the order of
// the log is the order of the calls. A sync is two records: what was recorded before its beginning is safe after its end.
// The log is opened for each record: a forked child may close every descriptor that it does not know.
//
// Calls that bypass the C library are not seen. The reader finds that out: the log, replayed, must give the folder as it is.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    CREATE = 1, WRITE, TRUNCATE, SYNC_BEGIN, SYNC_END, RENAME, LINK, UNLINK, MKDIR, RMDIR, EXTEND, SAID, MAPPED, NOT_MODELLED, SYNC_ALL, FAILED,
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char log_path[PATH_MAX], root[PATH_MAX];
static size_t root_length;
static dev_t root_device;
static int speaks;
static struct stat out;
static useconds_t sync_us;
static int64_t syncs, kill_at, recorded, fail_at, changes;
static int fail_errno, fail_always;

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static void in_child(void) { pthread_mutex_init(&lock, NULL); speaks = 0; kill_at = fail_at = 0; }

__attribute__((constructor)) static void begin(void) {
    const char *log = getenv("POWERCUT_LOG"), *below = getenv("POWERCUT_ROOT"), *parent = getenv("POWERCUT_PARENT");
    const char *slow = getenv("POWERCUT_SYNC_US");
    struct stat found;
    if (!log || !below || stat(below, &found)) return;
    snprintf(log_path, sizeof log_path, "%s", log);
    snprintf(root, sizeof root, "%s", below);
    root_length = strlen(root);
    root_device = found.st_dev;
    speaks = parent && atoi(parent) == getppid() && !fstat(1, &out);
    sync_us = slow ? (useconds_t)atoi(slow) : 0;
    const char *last = getenv("POWERCUT_KILL_AT");
    kill_at = speaks && last ? atoll(last) : 0;
    const char *fail = getenv("POWERCUT_FAIL");
    if (speaks && fail) {
        fail_at = atoll(fail);
        fail_errno = atoi(strchr(fail, ':') + 1);
        fail_always = !!strstr(fail, ":always");
    }
    pthread_atfork(NULL, NULL, in_child);
}

static void put(int kind, uint64_t inode, int64_t a, int64_t b, const char *one, const char *two, const struct iovec *data, int pieces,
                size_t size) {
    uint16_t length_one = one ? (uint16_t)strlen(one) : 0, length_two = two ? (uint16_t)strlen(two) : 0;
    unsigned char head[64 + 2 * PATH_MAX], *at = head + 4;
    int32_t pid = (int32_t)getpid();
    uint32_t size32 = (uint32_t)size;
#define PUT(value) memcpy(at, &(value), sizeof(value)), at += sizeof(value)
    *at++ = (unsigned char)kind;
    PUT(pid); PUT(inode); PUT(a); PUT(b);
    PUT(length_one); memcpy(at, one, length_one); at += length_one;
    PUT(length_two); memcpy(at, two, length_two); at += length_two;
    PUT(size32);
    uint32_t rest = (uint32_t)(at - head - 4) + size32;
    memcpy(head, &rest, 4);
    size_t total = (size_t)(at - head) + size;
    char *all = malloc(total);
    memcpy(all, head, (size_t)(at - head));
    size_t filled = (size_t)(at - head);
    for (int i = 0; i < pieces && filled < total; i++) {
        size_t part = data[i].iov_len < total - filled ? data[i].iov_len : total - filled;
        memcpy(all + filled, data[i].iov_base, part);
        filled += part;
    }
    int kept = errno;
    long fd = syscall(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || syscall(SYS_write, fd, all, total) != (long)total) {
        static const char text[] = "powercut: the log cannot be written\n";
        syscall(SYS_write, 2, text, sizeof text - 1);
        _exit(99);
    }
    syscall(SYS_close, fd);
    errno = kept;
    free(all);
    // Here no call is without its record, whatever other threads do: they wait for the lock. Words to the user change nothing.
    if (kill_at && kind != SAID && ++recorded == kill_at) kill(getpid(), SIGKILL);
}

// Whether this call is the one that fails; then `errno` is set.
static int fails(const char *path, const char *call) {
    if (!fail_at) return 0;
    int64_t number = __atomic_add_fetch(&changes, 1, __ATOMIC_SEQ_CST);
    if (number != fail_at && !(fail_always && number > fail_at)) return 0;
    put(FAILED, 0, number, fail_errno, path, call, NULL, 0, 0);
    errno = fail_errno;
    return 1;
}

static int below(const char *path) {
    return root_length && !strncmp(path, root, root_length) && (path[root_length] == '/' || !path[root_length]);
}

// The path of a name as a kernel sees it, with the links of its folder followed.
static int resolve(int at, const char *name, char *to) {
    char text[2 * PATH_MAX], folder[PATH_MAX] = "";
    if (!root_length || !name) return 0;
    if (*name != '/') {
        if (at == AT_FDCWD) { if (!getcwd(folder, sizeof folder)) return 0; }
        else {
            char link[64];
            snprintf(link, sizeof link, "/proc/self/fd/%d", at);
            ssize_t n = readlink(link, folder, sizeof folder - 1);
            if (n < 0) return 0;
            folder[n] = 0;
        }
    }
    snprintf(text, sizeof text, "%s/%s", folder, name);
    size_t n = strlen(text);
    while (n > 1 && text[n - 1] == '/') text[--n] = 0;
    char *slash = strrchr(text, '/');
    char last[NAME_MAX + 1];
    snprintf(last, sizeof last, "%s", slash + 1);
    *slash = 0;
    if (!realpath(*text ? text : "/", folder)) return 0;
    int length = snprintf(to, PATH_MAX, "%s/%s", strcmp(folder, "/") ? folder : "", last);
    return length < PATH_MAX && below(to);
}

// Whether a descriptor is a file or folder below the root; its inode and path.
static int ours(int fd, uint64_t *inode, char *path) {
    struct stat found;
    if (!root_length || fstat(fd, &found) || !(S_ISREG(found.st_mode) || S_ISDIR(found.st_mode)) || found.st_dev != root_device) return 0;
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, PATH_MAX - 1);
    if (n < 0) return 0;
    path[n] = 0;
    *inode = found.st_ino;
    return below(path);
}

static int is_out(int fd) {
    struct stat found;
    return speaks && !fstat(fd, &found) && found.st_dev == out.st_dev && found.st_ino == out.st_ino;
}

static int open_recorded(int at, const char *name, int flags, mode_t mode) {
    REAL(openat);
    char path[PATH_MAX];
    if (!(flags & (O_CREAT | O_TRUNC)) && !(fail_at && flags & (O_WRONLY | O_RDWR))) return real(at, name, flags, mode);
    if (!resolve(at, name, path)) return real(at, name, flags, mode);
    if (fails(path, "open")) return -1;
    pthread_mutex_lock(&lock);
    struct stat found;
    int existed = !fstatat(at, name, &found, 0);
    int fd = real(at, name, flags, mode);
    if (fd >= 0) {
        uint64_t inode;
        char now[PATH_MAX];
        if ((flags & O_TMPFILE) == O_TMPFILE) put(NOT_MODELLED, 0, 0, 0, path, "O_TMPFILE", NULL, 0, 0);
        else if (ours(fd, &inode, now)) {
            if (!existed) put(CREATE, inode, 0, 0, now, NULL, NULL, 0, 0);
            else if (flags & O_TRUNC) put(TRUNCATE, inode, 0, 0, now, NULL, NULL, 0, 0);
        }
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { va_list more; va_start(more, flags); mode = va_arg(more, mode_t); va_end(more); }

int open(const char *name, int flags, ...) { MODE(flags) return open_recorded(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE(flags) return open_recorded(AT_FDCWD, name, flags | O_LARGEFILE, mode); }
int openat(int at, const char *name, int flags, ...) { MODE(flags) return open_recorded(at, name, flags, mode); }
int openat64(int at, const char *name, int flags, ...) { MODE(flags) return open_recorded(at, name, flags | O_LARGEFILE, mode); }
int creat(const char *name, mode_t mode) { return open_recorded(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *name, mode_t mode) { return creat(name, mode); }

// `offset` is where to write, or -1 for where the descriptor stands.
#define WRITING(fd, call, pieces, count, offset) \
    uint64_t inode; \
    char path[PATH_MAX]; \
    if (is_out(fd)) { \
        size_t size = 0; \
        for (int i = 0; i < (count); i++) size += (pieces)[i].iov_len; \
        put(SAID, 0, 0, 0, NULL, NULL, pieces, count, size); \
        return call; \
    } \
    if (!ours(fd, &inode, path)) return call; \
    if (fails(path, "write")) return -1; \
    pthread_mutex_lock(&lock); \
    ssize_t done = call; \
    if (done > 0) { \
        int64_t at = (offset) >= 0 && !(fcntl(fd, F_GETFL) & O_APPEND) ? (int64_t)(offset) : lseek(fd, 0, SEEK_CUR) - done; \
        put(WRITE, inode, at, 0, path, NULL, pieces, count, (size_t)done); \
    } \
    pthread_mutex_unlock(&lock); \
    return done

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    struct iovec piece = {(void *)data, size};
    WRITING(fd, real(fd, data, size), &piece, 1, (int64_t)-1);
}
ssize_t writev(int fd, const struct iovec *pieces, int count) {
    REAL(writev);
    WRITING(fd, real(fd, pieces, count), pieces, count, (int64_t)-1);
}
#define PWRITE(name) \
    ssize_t name(int fd, const void *data, size_t size, off_t offset) { \
        REAL(name); \
        struct iovec piece = {(void *)data, size}; \
        WRITING(fd, real(fd, data, size, offset), &piece, 1, offset); \
    }
PWRITE(pwrite)
PWRITE(pwrite64)
#define PWRITEV(name) \
    ssize_t name(int fd, const struct iovec *pieces, int count, off_t offset) { \
        REAL(name); \
        WRITING(fd, real(fd, pieces, count, offset), pieces, count, offset); \
    }
PWRITEV(pwritev)
PWRITEV(pwritev64)
#define PWRITEV2(name) \
    ssize_t name(int fd, const struct iovec *pieces, int count, off_t offset, int flags) { \
        REAL(name); \
        WRITING(fd, real(fd, pieces, count, offset, flags), pieces, count, offset); \
    }
PWRITEV2(pwritev2)
PWRITEV2(pwritev64v2)

#define FAILS_BY -1
#define ON_DESCRIPTOR(fd, call, recorded) \
    uint64_t inode; \
    char path[PATH_MAX]; \
    if (!ours(fd, &inode, path)) return call; \
    if (fails(path, __func__)) return FAILS_BY; \
    pthread_mutex_lock(&lock); \
    int result = call; \
    if (!result) recorded; \
    pthread_mutex_unlock(&lock); \
    return result

#define FTRUNCATE(name) \
    int name(int fd, off_t size) { \
        REAL(name); \
        ON_DESCRIPTOR(fd, real(fd, size), put(TRUNCATE, inode, size, 0, path, NULL, NULL, 0, 0)); \
    }
FTRUNCATE(ftruncate)
FTRUNCATE(ftruncate64)
#define TRUNCATE_(name) \
    int name(const char *file, off_t size) { \
        int fd = open(file, O_WRONLY); \
        if (fd < 0) return -1; \
        int result = ftruncate(fd, size); \
        close(fd); \
        return result; \
    }
TRUNCATE_(truncate)
TRUNCATE_(truncate64)
#define FALLOCATE(name) \
    int name(int fd, int mode, off_t offset, off_t size) { \
        REAL(name); \
        ON_DESCRIPTOR(fd, real(fd, mode, offset, size), \
                      mode ? put(NOT_MODELLED, inode, mode, 0, path, "fallocate with a mode", NULL, 0, 0) \
                           : put(EXTEND, inode, offset + size, 0, path, NULL, NULL, 0, 0)); \
    }
FALLOCATE(fallocate)
FALLOCATE(fallocate64)
// This one returns its error.
#undef FAILS_BY
#define FAILS_BY fail_errno
#define POSIX_FALLOCATE(name) \
    int name(int fd, off_t offset, off_t size) { \
        REAL(name); \
        ON_DESCRIPTOR(fd, real(fd, offset, size), put(EXTEND, inode, offset + size, 0, path, NULL, NULL, 0, 0)); \
    }
POSIX_FALLOCATE(posix_fallocate)
POSIX_FALLOCATE(posix_fallocate64)
#undef FAILS_BY
#define FAILS_BY -1

#define SYNC(name) \
    int name(int fd) { \
        REAL(name); \
        uint64_t inode; \
        char path[PATH_MAX]; \
        if (!ours(fd, &inode, path)) return real(fd); \
        if (fails(path, #name)) return -1; \
        int64_t id = __atomic_add_fetch(&syncs, 1, __ATOMIC_SEQ_CST); \
        pthread_mutex_lock(&lock); \
        put(SYNC_BEGIN, inode, id, 0, path, #name, NULL, 0, 0); \
        pthread_mutex_unlock(&lock); \
        if (sync_us) usleep(sync_us); \
        int result = real(fd); \
        pthread_mutex_lock(&lock); \
        if (!result) put(SYNC_END, inode, id, 0, path, #name, NULL, 0, 0); \
        pthread_mutex_unlock(&lock); \
        return result; \
    }
SYNC(fsync)
SYNC(fdatasync)
int syncfs(int fd) {
    REAL(syncfs);
    ON_DESCRIPTOR(fd, real(fd), put(SYNC_ALL, inode, 0, 0, path, NULL, NULL, 0, 0));
}
// sync_file_range promises nothing about what survives, so it is not recorded; nor is sync, which waits for nobody by POSIX.

#define TWO_NAMES(from_at, from, to_at, to, call, kind) \
    char one[PATH_MAX], two[PATH_MAX]; \
    int first = resolve(from_at, from, one), second = resolve(to_at, to, two); \
    if (!first && !second) return call; \
    if (fails(two, __func__)) return -1; \
    pthread_mutex_lock(&lock); \
    struct stat found; \
    uint64_t inode = !fstatat(from_at, from, &found, AT_SYMLINK_NOFOLLOW) ? found.st_ino : 0; \
    int result = call; \
    if (!result) { \
        if (first && second) put(kind, inode, 0, 0, one, two, NULL, 0, 0); \
        else put(NOT_MODELLED, inode, 0, 0, one, "a name that crosses the edge of the folder", NULL, 0, 0); \
    } \
    pthread_mutex_unlock(&lock); \
    return result

int rename(const char *from, const char *to) { REAL(rename); TWO_NAMES(AT_FDCWD, from, AT_FDCWD, to, real(from, to), RENAME); }
int renameat(int a, const char *from, int b, const char *to) { REAL(renameat); TWO_NAMES(a, from, b, to, real(a, from, b, to), RENAME); }
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
    REAL(renameat2);
    TWO_NAMES(a, from, b, to, real(a, from, b, to, flags), flags & 2 /* exchange */ ? NOT_MODELLED : RENAME);
}
int link(const char *from, const char *to) { REAL(link); TWO_NAMES(AT_FDCWD, from, AT_FDCWD, to, real(from, to), LINK); }
int linkat(int a, const char *from, int b, const char *to, int flags) { REAL(linkat); TWO_NAMES(a, from, b, to, real(a, from, b, to, flags), LINK); }

#define ONE_NAME(at, name, call, kind) \
    char path[PATH_MAX]; \
    if (!resolve(at, name, path)) return call; \
    if (fails(path, __func__)) return -1; \
    pthread_mutex_lock(&lock); \
    int result = call; \
    struct stat found; \
    uint64_t inode = (kind) == MKDIR && !lstat(path, &found) ? found.st_ino : 0; \
    if (!result) put(kind, inode, 0, 0, path, NULL, NULL, 0, 0); \
    pthread_mutex_unlock(&lock); \
    return result

int unlink(const char *name) { REAL(unlink); ONE_NAME(AT_FDCWD, name, real(name), UNLINK); }
int unlinkat(int at, const char *name, int flags) { REAL(unlinkat); ONE_NAME(at, name, real(at, name, flags), flags & AT_REMOVEDIR ? RMDIR : UNLINK); }
int rmdir(const char *name) { REAL(rmdir); ONE_NAME(AT_FDCWD, name, real(name), RMDIR); }
int mkdir(const char *name, mode_t mode) { REAL(mkdir); ONE_NAME(AT_FDCWD, name, real(name, mode), MKDIR); }
int mkdirat(int at, const char *name, mode_t mode) { REAL(mkdirat); ONE_NAME(at, name, real(at, name, mode), MKDIR); }
int symlink(const char *to, const char *name) { REAL(symlink); ONE_NAME(AT_FDCWD, name, real(to, name), NOT_MODELLED); }

// SQLite maps its `-shm`, which it makes anew after a crash. Any other file that is written through memory could not be followed.
#define MMAP(name) \
    void *name(void *where, size_t size, int protection, int flags, int fd, off_t offset) { \
        REAL(name); \
        uint64_t inode; \
        char path[PATH_MAX]; \
        if (fd >= 0 && (flags & MAP_SHARED) && (protection & PROT_WRITE) && ours(fd, &inode, path)) \
            put(MAPPED, inode, 0, 0, path, NULL, NULL, 0, 0); \
        return real(where, size, protection, flags, fd, offset); \
    }
MMAP(mmap)
MMAP(mmap64)

#define COPY(fd, call) \
    uint64_t inode; \
    char path[PATH_MAX]; \
    if (ours(fd, &inode, path)) put(NOT_MODELLED, inode, 0, 0, path, __func__, NULL, 0, 0); \
    return call
ssize_t copy_file_range(int in, off64_t *a, int to, off64_t *b, size_t size, unsigned flags) {
    REAL(copy_file_range);
    COPY(to, real(in, a, to, b, size, flags));
}
ssize_t splice(int in, off64_t *a, int to, off64_t *b, size_t size, unsigned flags) { REAL(splice); COPY(to, real(in, a, to, b, size, flags)); }
