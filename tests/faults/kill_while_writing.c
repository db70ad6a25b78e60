/* Kills the process in the middle of writing a file: preloaded (LD_PRELOAD), once for each fault.
 *
 * KILL_WHILE_WRITING names faults, separated by spaces: "write:TEXT" kills after half of the bytes
 * of the first write to a file whose path holds TEXT, "rename:TEXT" just before a file is given
 * such a name. KILL_DONE is a folder where each fault that has happened leaves a file of its
 * number, so that it happens once, whichever process comes first.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int is_due(const char *kind, const char *path)
{
    const char *faults = getenv("KILL_WHILE_WRITING"), *done = getenv("KILL_DONE");
    char copy[4096], token[4096], *rest = copy, *fault;
    if (!faults || !done)
        return 0;
    snprintf(copy, sizeof copy, "%s", faults);
    for (int number = 0; (fault = strsep(&rest, " ")); number++) {
        size_t n = strlen(kind);
        if (strncmp(fault, kind, n) || fault[n] != ':' || !strstr(path, fault + n + 1))
            continue;
        snprintf(token, sizeof token, "%s/%d", done, number);
        int fd = open(token, O_CREAT | O_EXCL | O_WRONLY, 0666);
        if (fd >= 0) {
            close(fd);
            return 1;
        }
    }
    return 0;
}

static int is_written_to(int fd)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0)
        return 0;
    path[n] = 0;
    return is_due("write", path);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *bytes, size_t n)
{
    if (is_written_to(fd)) {
        REAL(write)(fd, bytes, n / 2);
        kill(getpid(), SIGKILL);
    }
    return REAL(write)(fd, bytes, n);
}

ssize_t writev(int fd, const struct iovec *parts, int n)
{
    if (is_written_to(fd)) {
        REAL(write)(fd, parts[0].iov_base, parts[0].iov_len / 2);
        kill(getpid(), SIGKILL);
    }
    return REAL(writev)(fd, parts, n);
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t offset)
{
    if (is_written_to(fd)) {
        REAL(pwrite64)(fd, bytes, n / 2, offset);
        kill(getpid(), SIGKILL);
    }
    return REAL(pwrite64)(fd, bytes, n, offset);
}

size_t fwrite(const void *bytes, size_t size, size_t n, FILE *file)
{
    if (is_written_to(fileno(file))) {
        REAL(fwrite)(bytes, size, n / 2, file);
        fflush(file);
        kill(getpid(), SIGKILL);
    }
    return REAL(fwrite)(bytes, size, n, file);
}

int rename(const char *from, const char *to)
{
    if (is_due("rename", to))
        kill(getpid(), SIGKILL);
    return REAL(rename)(from, to);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    if (is_due("rename", to))
        kill(getpid(), SIGKILL);
    return REAL(renameat)(from_folder, from, to_folder, to);
}
