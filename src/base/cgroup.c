/* Reading control groups: every group from this process's own up to the mount may set a limit.
 *
 * /proc/self/cgroup names the group in each hierarchy. In a container that path is often not below
 * the mount that the container sees; the walk then ends at the mount itself, which shows the
 * container's own limits. Anything that cannot be read counts as "no limit".
 */
#include "base/cgroup.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Reads one limit in a group's folder. */
typedef uint64_t (*limit_reader)(const char *folder);

/* A hierarchy: how /proc/self/cgroup writes it, where it is mounted, how its limit is read. */
typedef struct hierarchy {
    const char *controller; /* "" is version 2 */
    const char *mount;
    limit_reader read;
} hierarchy;

static bool read_file(const char *folder, const char *name, char *text, size_t room)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s%s%s", folder, folder[0] != '\0' ? "/" : "", name);
    if (n < 0 || (size_t)n >= sizeof path)
        return false;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    ssize_t bytes = read(descriptor, text, room - 1);
    close(descriptor);
    text[bytes > 0 ? bytes : 0] = '\0';
    return bytes > 0;
}

/* "max", "-1" and what is no number mean no limit. */
static uint64_t parse_limit(const char *text)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    return end == text || text[0] == '-' ? UINT64_MAX : value;
}

static uint64_t read_limit(const char *folder, const char *name)
{
    char text[64];
    return read_file(folder, name, text, sizeof text) ? parse_limit(text) : UINT64_MAX;
}

static uint64_t memory_v1(const char *folder)
{
    return read_limit(folder, "memory.limit_in_bytes");
}

static uint64_t memory_v2(const char *folder)
{
    return read_limit(folder, "memory.max");
}

static uint64_t whole_processors(uint64_t quota, uint64_t period)
{
    if (quota == UINT64_MAX || period == UINT64_MAX || period == 0)
        return UINT64_MAX;
    uint64_t whole = quota / period + (quota % period != 0);
    return whole > 0 ? whole : 1;
}

static uint64_t cpu_v1(const char *folder)
{
    return whole_processors(read_limit(folder, "cpu.cfs_quota_us"),
                            read_limit(folder, "cpu.cfs_period_us"));
}

static uint64_t cpu_v2(const char *folder)
{
    char text[64];
    if (!read_file(folder, "cpu.max", text, sizeof text))
        return UINT64_MAX;
    const char *space = strchr(text, ' ');
    return space == NULL ? UINT64_MAX : whole_processors(parse_limit(text), parse_limit(space + 1));
}

/* Whether the comma-separated list (ending at ':') names the controller. */
static bool lists(const char *list, const char *controller)
{
    size_t length = strlen(controller), n = strcspn(list, ",:");
    while (n != length || strncmp(list, controller, length) != 0) {
        if (list[n] != ',')
            return false;
        list += n + 1;
        n = strcspn(list, ",:");
    }
    return true;
}

/* The path of this process's group: lines are "number:controllers:path". */
static void group_path(const char *controller, char *path, size_t room)
{
    char text[8192];
    path[0] = '\0';
    if (!read_file("", "/proc/self/cgroup", text, sizeof text))
        return;
    for (char *line = text, *next; line != NULL; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        const char *controllers = strchr(line, ':');
        const char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
        if (group == NULL || !lists(controllers + 1, controller))
            continue;
        if (strlen(group + 1) < room)
            strcpy(path, group + 1);
        return;
    }
}

/* The smallest limit from the process's group up to the mount. */
static uint64_t smallest(const hierarchy *from)
{
    char group[PATH_MAX / 2], folder[PATH_MAX];
    uint64_t limit = UINT64_MAX;
    group_path(from->controller, group, sizeof group);
    for (;;) {
        snprintf(folder, sizeof folder, "%s%s", from->mount, group);
        uint64_t here = from->read(folder);
        limit = here < limit ? here : limit;
        char *slash = strrchr(group, '/');
        if (slash == NULL)
            return limit;
        *slash = '\0';
    }
}

static uint64_t smallest_of(const hierarchy *list, size_t count)
{
    uint64_t limit = UINT64_MAX;
    for (size_t i = 0; i < count; i++) {
        uint64_t here = smallest(&list[i]);
        limit = here < limit ? here : limit;
    }
    return limit;
}

uint64_t ltap_cgroup_memory_limit(void)
{
    static const hierarchy list[] = {
        {"", "/sys/fs/cgroup", memory_v2},
        {"memory", "/sys/fs/cgroup/memory", memory_v1},
    };
    return smallest_of(list, 2);
}

int ltap_cgroup_processors(void)
{
    static const hierarchy list[] = {
        {"", "/sys/fs/cgroup", cpu_v2},
        {"cpu", "/sys/fs/cgroup/cpu", cpu_v1},
    };
    uint64_t limit = smallest_of(list, 2);
    return limit > INT_MAX ? 0 : (int)limit;
}
