/* Reading files: mapped, or copied into the account where the file may change meanwhile.
 *
 * Only regular files are opened, and never in a way that could block. Below a folder, each
 * component of the path is opened on its own without following links, so that no path from a file
 * can lead out of the folder, whoever renames what meanwhile.
 */
#include "base/file.h"

#include "base/error.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is not a regular file, by the bits of its mode. */
static const struct {
    mode_t type;
    const char *words;
} other_types[] = {
    {S_IFDIR, "is a folder, not a file"},
    {S_IFIFO, "is a pipe, not a file; name the file itself, or read standard input with '-'"},
    {S_IFCHR, "is a device, not a file"},
    {S_IFBLK, "is a device, not a file"},
    {S_IFSOCK, "is a socket, not a file"},
    {S_IFLNK, "is a link, which is not followed here; put the file itself in its place"},
};

static ltap_status refuse_type(const char *name, mode_t mode, ltap_error *error)
{
    const char *words = "is not a regular file";
    for (size_t i = 0; i < sizeof other_types / sizeof other_types[0]; i++)
        if ((mode & S_IFMT) == other_types[i].type)
            words = other_types[i].words;
    return ltap_error_set(error, LTAP_ERROR_FILE, "%s %s", name, words);
}

/* Fills the block from the descriptor; the file must still have all of it. */
static ltap_status read_all(int descriptor, const char *name, uint8_t *data, size_t bytes,
                            ltap_error *error)
{
    size_t done = 0;
    while (done < bytes) {
        ssize_t n = pread(descriptor, data + done, bytes - done, (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ltap_error_system(error, errno, "%s: reading stopped at byte %zu", name, done);
        if (n == 0)
            return ltap_error_at(error, LTAP_ERROR_FILE, done,
                                 "%s became shorter while it was read (it had %zu bytes)", name,
                                 bytes);
        done += (size_t)n;
    }
    return LTAP_OK;
}

static ltap_status load(int descriptor, const char *name, size_t bytes, ltap_memory *memory,
                        ltap_file *file, ltap_error *error)
{
    void *block;
    LTAP_TRY(ltap_memory_take(memory, bytes, name, &block, error));
    ltap_status status = read_all(descriptor, name, block, bytes, error);
    if (status != LTAP_OK) {
        ltap_memory_release(memory, block);
        return status;
    }
    *file = (ltap_file){.data = block, .size = bytes, .memory = memory};
    return LTAP_OK;
}

/* Maps or copies what the descriptor shows; the descriptor stays open. */
static ltap_status take_descriptor(int descriptor, const char *name, ltap_memory *copy_into,
                                   ltap_file *file, ltap_error *error)
{
    struct stat facts;
    if (fstat(descriptor, &facts) != 0)
        return ltap_error_system(error, errno, "%s", name);
    if (!S_ISREG(facts.st_mode))
        return refuse_type(name, facts.st_mode, error);
    size_t bytes = (size_t)facts.st_size;
    *file = (ltap_file){0};
    if (bytes == 0)
        return LTAP_OK;
    if (copy_into != NULL)
        return load(descriptor, name, bytes, copy_into, file, error);
    void *data = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (data == MAP_FAILED)
        return ltap_error_system(error, errno, "%s: its %zu bytes do not fit the address space",
                                 name, bytes);
    *file = (ltap_file){.data = data, .size = bytes};
    return LTAP_OK;
}

ltap_status ltap_file_open(const char *path, bool private_copy, ltap_memory *memory,
                           ltap_file *file, ltap_error *error)
{
    if (path[0] == '\0')
        return ltap_error_set(error, LTAP_ERROR_FILE, "the path is empty; name a file");
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0)
        return ltap_error_system(error, errno, "%s", path);
    ltap_status status =
        take_descriptor(descriptor, path, private_copy ? memory : NULL, file, error);
    close(descriptor);
    if (status == LTAP_OK && file->size == 0)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "%s is empty (0 bytes)", path);
    return status;
}

/* Opens one component of a path in a folder; explains a refusal by what lies there. */
static ltap_status open_component(int folder, const char *component, bool last, int *descriptor,
                                  ltap_error *error)
{
    int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    struct stat facts;
    *descriptor = openat(folder, component, last ? flags : flags | O_DIRECTORY);
    if (*descriptor >= 0)
        return LTAP_OK;
    int reason = errno;
    if (fstatat(folder, component, &facts, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(facts.st_mode))
        return refuse_type("it", facts.st_mode, error);
    return ltap_error_system(error, reason, "'%s'", component);
}

/* Walks the components of relative (no "..", not absolute) from folder, which is closed. */
static ltap_status walk(int folder, const char *relative, int *descriptor, ltap_error *error)
{
    char component[256];
    while (true) {
        size_t length = strcspn(relative, "/");
        const char *rest = relative + length;
        rest += strspn(rest, "/");
        bool last = *rest == '\0';
        ltap_status status = LTAP_OK;
        int next = -1;
        if (length >= sizeof component) {
            close(folder);
            return ltap_error_set(error, LTAP_ERROR_FILE, "a part of it is longer than 255 bytes");
        }
        memcpy(component, relative, length);
        component[length] = '\0';
        status = open_component(folder, component, last, &next, error);
        close(folder);
        if (status != LTAP_OK)
            return status;
        if (last) {
            *descriptor = next;
            return LTAP_OK;
        }
        folder = next;
        relative = rest;
    }
}

static bool has_parent_component(const char *path)
{
    while (*path != '\0') {
        size_t length = strcspn(path, "/");
        if (length == 2 && path[0] == '.' && path[1] == '.')
            return true;
        path += length + strspn(path + length, "/");
    }
    return false;
}

ltap_status ltap_file_open_beneath(const char *base, const char *relative, bool private_copy,
                                   ltap_memory *memory, ltap_file *file, ltap_error *error)
{
    int descriptor = -1;
    size_t length = strlen(relative);
    if (length == 0 || relative[length - 1] == '/')
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "'%s' names no file", relative);
    if (relative[0] == '/')
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "'%s' is an absolute path; only files below '%s' may be read",
                              relative, base);
    if (has_parent_component(relative))
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "'%s' has a '..' in it; only files below '%s' may be read", relative,
                              base);
    int folder = open(base[0] != '\0' ? base : ".", O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    if (folder < 0)
        return ltap_error_system(error, errno, "the folder '%s'", base);
    ltap_status status = walk(folder, relative, &descriptor, error);
    if (status != LTAP_OK)
        return ltap_error_prefix(error, status, "'%s' in '%s'", relative, base);
    status = take_descriptor(descriptor, relative, private_copy ? memory : NULL, file, error);
    close(descriptor);
    return status;
}

/* A stream's bytes so far; the block doubles. */
typedef struct growing {
    uint8_t *data;
    size_t bytes, room;
} growing;

static ltap_status make_room(growing *block, const char *name, ltap_memory *memory,
                             ltap_error *error)
{
    void *bigger;
    if (block->bytes < block->room)
        return LTAP_OK;
    size_t room = block->room > 0 ? 2 * block->room : 65536;
    LTAP_TRY(ltap_memory_take(memory, room, name, &bigger, error));
    if (block->bytes > 0)
        memcpy(bigger, block->data, block->bytes);
    ltap_memory_release(memory, block->data);
    block->data = bigger;
    block->room = room;
    return LTAP_OK;
}

ltap_status ltap_file_read_stream(int descriptor, const char *name, uint64_t limit,
                                  ltap_memory *memory, ltap_file *file, ltap_error *error)
{
    growing block = {0};
    ltap_status status = LTAP_OK;
    ssize_t n = 1;
    *file = (ltap_file){0};
    while (n != 0) {
        LTAP_GO(make_room(&block, name, memory, error));
        n = read(descriptor, block.data + block.bytes, block.room - block.bytes);
        if (n < 0 && errno != EINTR)
            LTAP_GO(ltap_error_system(error, errno, "%s: reading stopped at byte %zu", name,
                                      block.bytes));
        if (n > 0)
            block.bytes += (size_t)n;
        if (block.bytes > limit)
            LTAP_GO(ltap_error_set(error, LTAP_ERROR_MEMORY,
                                   "%s holds more than %llu bytes, the most that is read here",
                                   name, (unsigned long long)limit));
    }
    if (block.bytes > 0) {
        *file = (ltap_file){.data = block.data, .size = block.bytes, .memory = memory};
        return LTAP_OK;
    }
done:
    ltap_memory_release(memory, block.data);
    return status;
}

void ltap_file_close(ltap_file *file)
{
    if (file->memory != NULL)
        ltap_memory_release(file->memory, (void *)(uintptr_t)file->data);
    else if (file->data != NULL)
        munmap((void *)(uintptr_t)file->data, file->size);
    *file = (ltap_file){0};
}

void ltap_file_forget(const ltap_file *file, const void *data, size_t bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)file->data;
    uintptr_t first = (uintptr_t)data, last = first + bytes;
    /* Only a mapping can be read again; dropping the pages of other memory would wipe it. */
    if (file->data == NULL || file->memory != NULL || first < begin || bytes > file->size ||
        first - begin > file->size - bytes)
        return;
    first = (first + page - 1) & ~(page - 1);
    last &= ~(page - 1);
    if (first < last)
        madvise((void *)first, last - first, MADV_DONTNEED);
}
