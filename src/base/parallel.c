/* Loops over threads: OpenMP, POSIX threads, or none, chosen when building.
 *
 * The split into ranges is made here, once, for all three: range i of n is a pure function of the
 * arguments, whoever runs it and however many threads the system gives. POSIX threads are started
 * for each call; that variant exists for the thread sanitizer, not for speed.
 */
#include "base/parallel.h"

#include "base/cgroup.h"
#include <sched.h>
#include <unistd.h>

#if defined(LTAP_THREADS_OPENMP)
#include <omp.h>
#elif defined(LTAP_THREADS_PTHREAD)
#include <pthread.h>
#include <stdbool.h>
#endif

#define MAX_RANGES 256

typedef struct job {
    void (*body)(void *context, int64_t first, int64_t last);
    void *context;
    int64_t count, step; /* range i is [i * step, (i + 1) * step) within count */
} job;

static void run_range(const job *work, int64_t index)
{
    int64_t first = index * work->step;
    int64_t last = work->count - first > work->step ? first + work->step : work->count;
    work->body(work->context, first, last);
}

#if defined(LTAP_THREADS_OPENMP)

static void run_all(const job *work, int n_ranges)
{
#pragma omp parallel for num_threads(n_ranges) schedule(static, 1)
    for (int i = 0; i < n_ranges; i++)
        run_range(work, i);
}

int ltap_parallel_set_threads(int threads)
{
    int before = omp_get_max_threads();
    omp_set_num_threads(threads > 0 ? threads : 1);
    return before;
}

#elif defined(LTAP_THREADS_PTHREAD)

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

static void run_all(const job *work, int n_ranges)
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

int ltap_parallel_set_threads(int threads)
{
    return threads;
}

#else

static void run_all(const job *work, int n_ranges)
{
    for (int i = 0; i < n_ranges; i++)
        run_range(work, i);
}

int ltap_parallel_set_threads(int threads)
{
    return threads;
}

#endif

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
