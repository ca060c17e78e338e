/* Writing a folder: it is filled under a temporary name beside its place and renamed into it. An
 * old folder changes places with the new one in one step and is emptied afterwards. Only folders
 * that hold nothing but .npy files are ever replaced, and only such files are ever removed.
 */
#include "io/folder.h"
#include "base/error.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_ATTEMPTS 16

/* What lies in a folder. */
typedef struct contents {
    size_t n_files;
    char stranger[256]; /* the first entry that is no .npy file; "" where there is none */
} contents;

static bool is_array_file(int folder, const char *name)
{
    struct stat facts;
    size_t n = strlen(name);
    return n >= 4 && strcmp(name + n - 4, ".npy") == 0 &&
           fstatat(folder, name, &facts, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(facts.st_mode);
}

/* Looks through a folder; with `remove`, its .npy files are gone afterwards. */
static ltap_status look_through(const char *path, bool remove, contents *found, ltap_error *error)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;
    memset(found, 0, sizeof *found);
    if (!folder)
        return ltap_error_system(error, errno, "%s", path);
    while ((entry = readdir(folder)) != NULL) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        if (!is_array_file(dirfd(folder), name))
            snprintf(found->stranger, sizeof found->stranger, "%.255s", name);
        else if (remove)
            unlinkat(dirfd(folder), name, 0);
        else
            found->n_files++;
    }
    closedir(folder);
    return LTAP_OK;
}

static ltap_status check_replaceable(const char *path, bool force, ltap_error *error)
{
    contents found;
    struct stat here, there;
    LTAP_TRY(look_through(path, false, &found, error));
    if (stat(".", &here) == 0 && stat(path, &there) == 0 && here.st_ino == there.st_ino &&
        here.st_dev == there.st_dev)
        return ltap_error_set(
            error, LTAP_ERROR_FILE,
            "%s is the current folder, which cannot be replaced; name one below it", path);
    if (found.n_files == 0 && found.stranger[0] == '\0')
        return LTAP_OK;
    if (!force)
        return ltap_error_set(error, LTAP_ERROR_EXISTS,
                              "%s exists already and is not empty; choose another name, or ask for "
                              "it to be replaced (--force)",
                              path);
    if (found.stranger[0] != '\0')
        return ltap_error_set(error, LTAP_ERROR_EXISTS,
                              "%s holds '%s', which is not a .npy file; only folders of .npy files "
                              "are replaced; choose another name",
                              path, found.stranger);
    return LTAP_OK;
}

/* The final path: without slashes at its end, an existing folder by its real name. */
static ltap_status resolve(const char *path, ltap_outfolder *folder, ltap_error *error)
{
    struct stat facts;
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    if (n == 0 || n + 64 > sizeof folder->path)
        return ltap_error_set(error, LTAP_ERROR_FILE,
                              n ? "the path is too long" : "the path of the folder is empty");
    memcpy(folder->path, path, n);
    folder->path[n] = '\0';
    if (lstat(folder->path, &facts) != 0)
        return LTAP_OK; /* whether it can be made is found out by making it */
    if (stat(folder->path, &facts) != 0 || !S_ISDIR(facts.st_mode))
        return ltap_error_set(error, LTAP_ERROR_EXISTS,
                              "%s exists and is not a folder; choose another name", folder->path);
    LTAP_TRY(check_replaceable(folder->path, folder->force, error));
    char given[LTAP_PATH_BYTES];
    memcpy(given, folder->path, n + 1);
    if (!realpath(given, folder->path))
        return ltap_error_system(error, errno, "%s", given);
    return LTAP_OK;
}

static void draw_name(const ltap_outfolder *folder, char name[LTAP_PATH_BYTES])
{
    uint64_t random;
    const char *slash = strrchr(folder->path, '/');
    int parent = slash ? (int)(slash - folder->path) + 1 : 0;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random)
        random = (uint64_t)getpid() << 32 ^ (uintptr_t)folder;
    snprintf(name, LTAP_PATH_BYTES, "%.*s.layertap-%016llx.tmp", parent, folder->path,
             (unsigned long long)random);
}

static ltap_status make_temporary(ltap_outfolder *folder, const char *path, ltap_error *error)
{
    int made = -1;
    for (int i = 0; i < NAME_ATTEMPTS && made != 0; i++) {
        draw_name(folder, folder->temporary);
        made = mkdir(folder->temporary, 0777);
        if (made != 0 && errno != EEXIST)
            break;
    }
    if (made == 0) {
        folder->descriptor = open(folder->temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (folder->descriptor >= 0)
            return LTAP_OK;
        int reason = errno;
        rmdir(folder->temporary);
        errno = reason;
    }
    folder->temporary[0] = '\0';
    return ltap_error_system(error, errno, "%s cannot be made", path);
}

ltap_status ltap_outfolder_open(const char *path, bool force, ltap_outfolder *folder,
                                ltap_error *error)
{
    folder->descriptor = -1;
    folder->temporary[0] = '\0';
    folder->force = force;
    LTAP_TRY(resolve(path, folder, error));
    return make_temporary(folder, path, error);
}

static void remove_old(const char *path)
{
    contents found;
    if (look_through(path, true, &found, NULL) == LTAP_OK)
        rmdir(path);
}

/* Puts the temporary folder where a full one is. */
static ltap_status replace(ltap_outfolder *folder, ltap_error *error)
{
    char aside[LTAP_PATH_BYTES];
    LTAP_TRY(check_replaceable(folder->path, folder->force, error));
    if (renameat2(AT_FDCWD, folder->temporary, AT_FDCWD, folder->path, RENAME_EXCHANGE) == 0) {
        remove_old(folder->temporary);
        folder->temporary[0] = '\0';
        return LTAP_OK;
    }
    draw_name(folder, aside);
    if (rename(folder->path, aside) != 0)
        return ltap_error_system(error, errno, "%s cannot be replaced", folder->path);
    if (rename(folder->temporary, folder->path) != 0) {
        int reason = errno;
        if (rename(aside, folder->path) != 0)
            return ltap_error_system(error, reason, "%s cannot be replaced; the old one is now %s",
                                     folder->path, aside);
        return ltap_error_system(error, reason, "%s cannot be replaced", folder->path);
    }
    remove_old(aside);
    folder->temporary[0] = '\0';
    return LTAP_OK;
}

ltap_status ltap_outfolder_commit(ltap_outfolder *folder, ltap_error *error)
{
    /* Succeeds where nothing or an empty folder is. */
    if (rename(folder->temporary, folder->path) == 0)
        folder->temporary[0] = '\0';
    else if (errno == ENOTEMPTY || errno == EEXIST)
        return replace(folder, error);
    else
        return ltap_error_system(error, errno, "%s cannot be put in its place", folder->path);
    return LTAP_OK;
}

void ltap_outfolder_close(ltap_outfolder *folder)
{
    if (folder->descriptor >= 0)
        close(folder->descriptor);
    folder->descriptor = -1;
    if (folder->temporary[0] != '\0')
        remove_old(folder->temporary);
    folder->temporary[0] = '\0';
}
