/* Writing files that appear whole or not at all.
 *
 * The bytes go to a file without a name (O_TMPFILE) in the target's folder, which the system drops
 * when the process dies; commit gives it a temporary name and then the final one in one step.
 * Where the file system has no such files, the temporary name is there from the start. Nothing is
 * synced to the disk: this is about killed programs, not about power cuts.
 */
#include "base/file.h"

#include "base/error.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NAME_ATTEMPTS 16

static ltap_status refuse_existing(const char *path, ltap_error *error)
{
    return ltap_error_set(error, LTAP_ERROR_EXISTS,
                          "%s exists already; choose another name, or ask for it to be replaced "
                          "(--force)",
                          path);
}

/* Puts the path as it will be written into file->path: an existing link is followed, so that
 * replacing changes what it points at. Refuses what must not be replaced. */
static ltap_status resolve_target(const char *path, ltap_outfile *file, ltap_error *error)
{
    struct stat facts;
    size_t length = strlen(path);
    if (length == 0 || path[length - 1] == '/')
        return ltap_error_set(error, LTAP_ERROR_FILE, "'%s' names no file to write", path);
    if (length + 64 > sizeof file->path)
        return ltap_error_set(error, LTAP_ERROR_FILE, "the path '%.60s...' is too long (%zu bytes)",
                              path, length);
    memcpy(file->path, path, length + 1);
    if (lstat(path, &facts) != 0)
        return LTAP_OK; /* whether it can be made is found out by making it */
    if (!file->force)
        return refuse_existing(path, error);
    if (S_ISLNK(facts.st_mode) && realpath(path, file->path) == NULL)
        return ltap_error_system(error, errno, "%s is a link that leads nowhere", path);
    if (stat(file->path, &facts) == 0 && S_ISDIR(facts.st_mode))
        return ltap_error_set(error, LTAP_ERROR_FILE,
                              "%s is a folder; name a file, or end the name with '/'", path);
    if (!S_ISREG(facts.st_mode))
        return ltap_error_set(error, LTAP_ERROR_FILE,
                              "%s is not a regular file and is not replaced", path);
    return LTAP_OK;
}

/* The folder of path, "." where it has none. */
static void folder_of(const char *path, char folder[LTAP_PATH_BYTES])
{
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    memcpy(folder, path, length);
    strcpy(folder + length, length == 0 ? "." : "");
}

/* Writes a fresh name in path's folder into file->temporary. */
static void draw_temporary(ltap_outfile *file)
{
    uint64_t random;
    const char *slash = strrchr(file->path, '/');
    int folder = slash == NULL ? 0 : (int)(slash - file->path) + 1;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random)
        random = (uint64_t)getpid() << 32 ^ (uint64_t)clock() ^ (uintptr_t)file;
    snprintf(file->temporary, sizeof file->temporary, "%.*s.layertap-%016llx.tmp", folder,
             file->path, (unsigned long long)random);
}

ltap_status ltap_outfile_open(const char *path, bool force, ltap_outfile *file, ltap_error *error)
{
    char folder[LTAP_PATH_BYTES];
    file->descriptor = -1;
    file->path[0] = file->temporary[0] = '\0';
    file->force = force;
    LTAP_TRY(resolve_target(path, file, error));
    folder_of(file->path, folder);
    /* A nameless file can be given a name only through /proc. */
    if (access("/proc/self/fd", X_OK) == 0)
        file->descriptor = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    for (int i = 0; file->descriptor < 0 && i < NAME_ATTEMPTS; i++) {
        draw_temporary(file);
        file->descriptor = open(file->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file->descriptor < 0 && errno != EEXIST)
            break;
    }
    if (file->descriptor >= 0)
        return LTAP_OK;
    file->temporary[0] = '\0';
    return ltap_error_system(error, errno, "%s cannot be written", path);
}

ltap_status ltap_outfile_write(ltap_outfile *file, uint64_t offset, const void *data, size_t bytes,
                               ltap_error *error)
{
    const char *next = data;
    while (bytes > 0) {
        ssize_t n = pwrite(file->descriptor, next, bytes, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ltap_error_system(error, n < 0 ? errno : ENOSPC,
                                     "%s: writing stopped at byte %llu", file->path,
                                     (unsigned long long)offset);
        next += n;
        offset += (uint64_t)n;
        bytes -= (size_t)n;
    }
    return LTAP_OK;
}

/* Gives the nameless file a temporary name. */
static ltap_status give_name(ltap_outfile *file, ltap_error *error)
{
    char self[64];
    snprintf(self, sizeof self, "/proc/self/fd/%d", file->descriptor);
    for (int i = 0; i < NAME_ATTEMPTS; i++) {
        draw_temporary(file);
        if (linkat(AT_FDCWD, self, AT_FDCWD, file->temporary, AT_SYMLINK_FOLLOW) == 0)
            return LTAP_OK;
        if (errno != EEXIST)
            break;
    }
    file->temporary[0] = '\0';
    return ltap_error_system(error, errno, "%s cannot be written", file->path);
}

/* The temporary name becomes the final one, which must not exist. */
static int rename_to_new(const ltap_outfile *file)
{
    struct stat facts;
    if (renameat2(AT_FDCWD, file->temporary, AT_FDCWD, file->path, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
        return -1;
    if (link(file->temporary, file->path) == 0)
        return unlink(file->temporary);
    if (errno == EEXIST)
        return -1;
    /* Neither is known to this file system: look, then rename. */
    if (lstat(file->path, &facts) == 0) {
        errno = EEXIST;
        return -1;
    }
    return rename(file->temporary, file->path);
}

ltap_status ltap_outfile_commit(ltap_outfile *file, ltap_error *error)
{
    if (file->temporary[0] == '\0')
        LTAP_TRY(give_name(file, error));
    int descriptor = file->descriptor;
    file->descriptor = -1;
    /* Some file systems tell only now that there was no room. */
    if (close(descriptor) != 0 && errno != EINTR)
        return ltap_error_system(error, errno, "%s could not be written to its end", file->path);
    int done = file->force ? rename(file->temporary, file->path) : rename_to_new(file);
    if (done != 0 && errno == EEXIST)
        return refuse_existing(file->path, error);
    if (done != 0)
        return ltap_error_system(error, errno, "%s cannot be put in its place", file->path);
    file->temporary[0] = '\0';
    return LTAP_OK;
}

void ltap_outfile_close(ltap_outfile *file)
{
    if (file->descriptor >= 0)
        close(file->descriptor);
    if (file->temporary[0] != '\0')
        unlink(file->temporary);
    file->descriptor = -1;
    file->temporary[0] = '\0';
}
