/* File systems that lack a call: preloaded (LD_PRELOAD), it refuses calls of the C library.
 *
 * REFUSED_CALLS names calls and the error of each, separated by spaces: "flock=38 symlink=1". The
 * names are flock, record_lock (fcntl), fsync_of_file, fsync_of_folder, syncfs, symlink, link, and
 * mkdir_below_logs. The error 0 pretends to have done it: a lock that is none.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether a call is refused. Sets errno, and `*result` to what the call returns then. */
static int is_refused(const char *call, int *result)
{
    const char *refused = getenv("REFUSED_CALLS");
    char copy[1024], *rest = copy, *one;
    snprintf(copy, sizeof copy, "%s", refused ? refused : "");
    while ((one = strsep(&rest, " "))) {
        size_t n = strlen(call);
        if (strncmp(one, call, n) || one[n] != '=')
            continue;
        int error = atoi(one + n + 1);
        *result = error ? -1 : 0;
        if (error)
            errno = error;
        return 1;
    }
    return 0;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define REFUSE(call)                     \
    do {                                 \
        int result;                      \
        if (is_refused(call, &result))   \
            return result;               \
    } while (0)

static const char *kind_of(int fd)
{
    struct stat found;
    return !fstat(fd, &found) && S_ISDIR(found.st_mode) ? "fsync_of_folder" : "fsync_of_file";
}

int flock(int fd, int operation)
{
    REFUSE("flock");
    return REAL(flock)(fd, operation);
}

static int record_lock(const char *name, int fd, int command, void *argument)
{
    if (command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK || command == F_OFD_SETLKW)
        REFUSE("record_lock");
    return ((int (*)(int, int, ...))dlsym(RTLD_NEXT, name))(fd, command, argument);
}

int fcntl(int fd, int command, ...)
{
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return record_lock("fcntl", fd, command, argument);
}

int fcntl64(int fd, int command, ...)
{
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return record_lock("fcntl64", fd, command, argument);
}

int fsync(int fd)
{
    REFUSE(kind_of(fd));
    return REAL(fsync)(fd);
}

int fdatasync(int fd)
{
    REFUSE(kind_of(fd));
    return REAL(fdatasync)(fd);
}

int syncfs(int fd)
{
    REFUSE("syncfs");
    return REAL(syncfs)(fd);
}

int symlink(const char *target, const char *path)
{
    REFUSE("symlink");
    return REAL(symlink)(target, path);
}

int symlinkat(const char *target, int folder, const char *path)
{
    REFUSE("symlink");
    return REAL(symlinkat)(target, folder, path);
}

int mkdir(const char *path, mode_t mode)
{
    if (strstr(path, "/logs/"))
        REFUSE("mkdir_below_logs");
    return REAL(mkdir)(path, mode);
}

int link(const char *from, const char *to)
{
    REFUSE("link");
    return REAL(link)(from, to);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags)
{
    REFUSE("link");
    return REAL(linkat)(from_folder, from, to_folder, to, flags);
}
