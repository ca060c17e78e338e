/* Loops over threads: on the pool that the caller has entered, or on threads started for the call.
 *
 * The split into ranges is made here, once, for both: range i of n is a pure function of the
 * arguments, whoever runs it and however many threads the system gives.
 */
#include "base/parallel.h"

#include "base/cgroup.h"
#include <sched.h>
#include <unistd.h>

#include <pthread.h>
#include <stdbool.h>

#define MAX_RANGES LTAP_POOL_RANGES

typedef struct job {
    void (*body)(void *context, int64_t first, int64_t last);
    void *context;
    int64_t count, step; /* range i is [i * step, (i + 1) * step) within count */
} job;

/* The pool of the loops that this thread makes. */
static _Thread_local ltap_pool *current;

ltap_pool *ltap_parallel_enter(ltap_pool *pool)
{
    ltap_pool *before = current;

    if (pool)
        ltap_pool_check(pool);
    current = pool;
    return before;
}

static void run_range(const void *context, int64_t index)
{
    const job *work = context;
    int64_t first = index * work->step;
    int64_t last = work->count - first > work->step ? first + work->step : work->count;

    work->body(work->context, first, last);
}

#if defined(LTAP_THREADS_NONE)

static void run_started(const job *work, int n_ranges)
{
    for (int i = 0; i < n_ranges; i++)
        run_range(work, i);
}

#else

typedef struct worker {
    pthread_t thread;
    bool started;
    const job *work;
    int64_t index;
} worker;

static void *run_worker(void *argument)
{
    const worker *self = argument;

    run_range(self->work, self->index);
    return NULL;
}

static void run_started(const job *work, int n_ranges)
{
    worker workers[MAX_RANGES];

    for (int i = 1; i < n_ranges; i++) {
        workers[i] = (worker){.work = work, .index = i};
        workers[i].started = pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]) == 0;
    }
    run_range(work, 0);
    for (int i = 1; i < n_ranges; i++) {
        if (workers[i].started)
            pthread_join(workers[i].thread, NULL);
        else
            run_range(work, i);
    }
}

#endif

/* Inside of a loop, or where the pool has no threads, ranges are done one after the other. */
static void run_all(const job *work, int n_ranges)
{
    if (!current)
        run_started(work, n_ranges);
    else if (!ltap_pool_run(current, n_ranges, run_range, work))
        for (int i = 0; i < n_ranges; i++)
            run_range(work, i);
}

void ltap_parallel_for(int threads, int64_t count, int64_t grain,
                       void (*body)(void *context, int64_t first, int64_t last), void *context)
{
    if (count <= 0)
        return;
    grain = grain > 0 ? grain : 1;
    int64_t n_grains = (count - 1) / grain + 1;
    int64_t limit = threads < 1 ? 1 : threads < MAX_RANGES ? threads : MAX_RANGES;
    int64_t ranges = n_grains < limit ? n_grains : limit;
    int64_t grains_each = (n_grains - 1) / ranges + 1;
    job work = {.body = body, .context = context, .count = count};
    /* One range: no product that could overflow, and no thread. */
    if (ranges == 1) {
        body(context, 0, count);
        return;
    }
    work.step = grains_each * grain;
    run_all(&work, (int)((count - 1) / work.step + 1));
}

int ltap_parallel_processors(void)
{
    cpu_set_t set;
    int allowed = 0, quota = ltap_cgroup_processors();
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        allowed = CPU_COUNT(&set);
    if (allowed < 1) {
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        allowed = online > 0 ? (int)online : 1;
    }
    return quota > 0 && quota < allowed ? quota : allowed;
}
