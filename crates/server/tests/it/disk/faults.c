/* Disk faults for tests: a library that is loaded before libc (LD_PRELOAD) and lets calls on chosen files fail or dawdle.
 *
 * The file named by LINTEL_FAULTS is read at each call. Each of its lines is one fault:
 *
 *     PART CALL EFFECT        e.g.  journal.db sync EIO     journal.db write ENOSPC     / open EROFS     store.db sync 300
 *
 * PART is a part of the file's path; CALL is sync (fsync, fdatasync), write (write, pwrite, pwrite64) or open (for writing);
 * EFFECT is an error's name, KILL (the process dies before the call), or a delay in milliseconds after which the call is made.
 * Nothing here allocates or locks.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int error_of(const char *name) {
    if (!strcmp(name, "EIO")) return EIO;
    if (!strcmp(name, "ENOSPC")) return ENOSPC;
    if (!strcmp(name, "EROFS")) return EROFS;
    return 0;
}

static size_t faults(char *text, size_t size) {
    const char *path = getenv("LINTEL_FAULTS");
    if (!path) return 0;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) return 0;
    ssize_t length = syscall(SYS_read, fd, text, size - 1);
    syscall(SYS_close, fd);
    if (length < 0) length = 0;
    text[length] = 0;
    return (size_t)length;
}

/* The error that a call on a file of this path must give; 0 to go on. Waits first where the fault is a delay. */
static int fault_at(const char *path, const char *call) {
    char text[2048];
    if (!faults(text, sizeof text)) return 0;
    char *rest = text, *line;
    while ((line = strsep(&rest, "\n"))) {
        char part[256], which[16], effect[16];
        if (sscanf(line, "%255s %15s %15s", part, which, effect) != 3) continue;
        if (strcmp(which, call) || !strstr(path, part)) continue;
        int error = error_of(effect);
        if (error) return error;
        if (!strcmp(effect, "KILL")) kill(getpid(), SIGKILL);
        long ms = atol(effect);
        struct timespec delay = {ms / 1000, (ms % 1000) * 1000000};
        nanosleep(&delay, NULL);
    }
    return 0;
}

static int fault_of(int fd, const char *call) {
    char link[64], path[1024];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0 || path[0] != '/') return 0;
    path[length] = 0;
    return fault_at(path, call);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL(fault) do { int error = (fault); if (error) { errno = error; return -1; } } while (0)

int fsync(int fd) { FAIL(fault_of(fd, "sync")); return REAL(fsync)(fd); }
int fdatasync(int fd) { FAIL(fault_of(fd, "sync")); return REAL(fdatasync)(fd); }

ssize_t write(int fd, const void *bytes, size_t count) {
    FAIL(fault_of(fd, "write"));
    return REAL(write)(fd, bytes, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    FAIL(fault_of(fd, "write"));
    return REAL(pwrite)(fd, bytes, count, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    FAIL(fault_of(fd, "write"));
    return REAL(pwrite64)(fd, bytes, count, offset);
}

static int opening(const char *path, int flags) {
    return (flags & (O_WRONLY | O_RDWR | O_CREAT)) ? fault_at(path, "open") : 0;
}

#define MODE(flags, mode)                                                        \
    mode_t mode = 0;                                                             \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                       \
        va_list arguments;                                                       \
        va_start(arguments, flags);                                              \
        mode = (mode_t)va_arg(arguments, unsigned int);                          \
        va_end(arguments);                                                       \
    }

int open(const char *path, int flags, ...) {
    MODE(flags, mode)
    FAIL(opening(path, flags));
    return REAL(open)(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE(flags, mode)
    FAIL(opening(path, flags));
    return REAL(open64)(path, flags, mode);
}
