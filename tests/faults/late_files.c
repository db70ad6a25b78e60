/* A file system like NFS, on which a node sees late what another one has written: preloaded
 * (LD_PRELOAD), it changes what a process sees of files.
 *
 * A path that was not there stays so to this process for LATE_SECONDS, unless it opens the folder
 * of the path meanwhile, which makes NFS ask the server anew. Only paths that contain LATE_FILES,
 * and not within a job of LSF: its processes are on one node, which sees what it writes itself.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define MOST 4096

static struct { char *path; time_t since; } absent[MOST];
static int n_absent;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* What stat returns for a path, where the file system has returned `found`. */
static int as_seen(const char *path, int found)
{
    const char *late = getenv("LATE_FILES"), *seconds = getenv("LATE_SECONDS");
    int error = errno, result = found;
    if (!late || !seconds || getenv("LSB_JOBID") || !strstr(path, late))
        return found;
    pthread_mutex_lock(&lock);
    int i = 0;
    while (i < n_absent && strcmp(absent[i].path, path))
        i++;
    if (i < n_absent && time(NULL) - absent[i].since < atoi(seconds)) {
        result = -1;
        error = ENOENT;
    } else if (found && errno == ENOENT && i < MOST) {
        if (i == n_absent)
            absent[n_absent++].path = strdup(path);
        absent[i].since = time(NULL);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

int stat(const char *path, struct stat *found)
{
    return as_seen(path, REAL(stat)(path, found));
}

int stat64(const char *path, struct stat64 *found)
{
    return as_seen(path, REAL(stat64)(path, found));
}

int lstat64(const char *path, struct stat64 *found)
{
    return as_seen(path, REAL(lstat64)(path, found));
}

int lstat(const char *path, struct stat *found)
{
    return as_seen(path, REAL(lstat)(path, found));
}

DIR *opendir(const char *folder)
{
    size_t n = strlen(folder);
    pthread_mutex_lock(&lock);
    for (int i = 0; i < n_absent; i++)
        if (!strncmp(absent[i].path, folder, n) && absent[i].path[n] == '/' &&
            !strchr(absent[i].path + n + 1, '/'))
            absent[i].since = 0;
    pthread_mutex_unlock(&lock);
    return REAL(opendir)(folder);
}
