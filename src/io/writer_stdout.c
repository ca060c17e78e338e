/* Standard output as the place of a file: headers can be known only after the data, and a pipe
 * cannot go back, so all is gathered in a nameless temporary file and copied out at commit. The
 * signal of a closed pipe is kept away from the process while this thread writes.
 */
#include "base/error.h"
#include "io/writer.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define COPY_BYTES (1u << 18)

static int open_nameless(const char *folder)
{
    char path[LTAP_PATH_BYTES];
    int descriptor = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
    if (descriptor >= 0)
        return descriptor;
    int n = snprintf(path, sizeof path, "%s/layertap-XXXXXX", folder);
    if (n < 0 || (size_t)n >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    descriptor = mkostemp(path, O_CLOEXEC);
    if (descriptor >= 0)
        unlink(path);
    return descriptor;
}

ltap_status ltap_stdout_open(ltap_outfile *file, ltap_error *error)
{
    const char *folder = getenv("TMPDIR");
    if (!folder || folder[0] != '/')
        folder = "/tmp";
    int flags = fcntl(STDOUT_FILENO, F_GETFL);
    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY)
        return ltap_error_system(error, EBADF, "standard output cannot be written");
    file->descriptor = open_nameless(folder);
    if (file->descriptor < 0)
        return ltap_error_system(error, errno, "no temporary file in %s (TMPDIR chooses another)",
                                 folder);
    file->temporary[0] = '\0';
    snprintf(file->path, sizeof file->path, "the temporary file in %.4000s for standard output",
             folder);
    return LTAP_OK;
}

static ltap_status write_all(const char *next, size_t bytes, ltap_error *error)
{
    while (bytes > 0) {
        ssize_t n = write(STDOUT_FILENO, next, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ltap_error_system(error, errno, "standard output");
        next += n;
        bytes -= (size_t)n;
    }
    return LTAP_OK;
}

static ltap_status copy_out(const ltap_outfile *file, uint64_t bytes, char *buffer,
                            ltap_error *error)
{
    for (uint64_t at = 0; at < bytes;) {
        uint64_t left = bytes - at;
        ssize_t n =
            pread(file->descriptor, buffer, left < COPY_BYTES ? left : COPY_BYTES, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ltap_error_system(error, n < 0 ? errno : EIO, "%s: reading it back stopped",
                                     file->path);
        LTAP_TRY(write_all(buffer, (size_t)n, error));
        at += (uint64_t)n;
    }
    return LTAP_OK;
}

ltap_status ltap_stdout_commit(ltap_outfile *file, uint64_t bytes, ltap_memory *memory,
                               ltap_error *error)
{
    sigset_t pipe_signal, before, pending;
    const struct timespec at_once = {0, 0};
    void *buffer;
    LTAP_TRY(ltap_memory_take(memory, COPY_BYTES, "a buffer", &buffer, error));
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    ltap_status status = copy_out(file, bytes, buffer, error);
    if (!sigismember(&pending, SIGPIPE))
        while (sigtimedwait(&pipe_signal, NULL, &at_once) == -1 && errno == EINTR)
            continue;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    ltap_memory_release(memory, buffer);
    return status;
}
