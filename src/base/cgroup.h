/* What the control groups around this process say; versions 1 and 2. */
#ifndef LTAP_BASE_CGROUP_H
#define LTAP_BASE_CGROUP_H

#include <stddef.h>
#include <stdint.h>

/* The smallest memory limit of this process's group and those around it; UINT64_MAX: none. */
uint64_t ltap_cgroup_memory_limit(void);

/* Whole processors that the smallest CPU quota around this process gives (at least 1); 0: none. */
int ltap_cgroup_processors(void);

#endif
