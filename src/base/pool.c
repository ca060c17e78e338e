/* A pool of threads; see pool.h.
 *
 * A loop is published by its ticket: a number that grows, and how many ranges there are. Whoever
 * wants range i moves claims[i] up to that number, and so each range is taken once, and never by a
 * thread that still looks at an older ticket. Thread i begins with range i, so that it meets the
 * memory again that it touched in the loop before. Who has nothing to do looks for a moment, then
 * sleeps: on a machine that others use too, waiting must not take the processor from who is waited
 * for.
 */
#include "base/pool.h"

#include "base/error.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#if defined(LTAP_THREADS_NONE)
enum { MOST_WORKERS = 0 };
#else
enum { MOST_WORKERS = LTAP_POOL_RANGES - 1 };
#endif

/* LOOKS: how often a thread looks before it sleeps; the first SHORT_LOOKS, some fifty microseconds,
 * without leaving its processor to others, the rest, a millisecond or two, with. Who wakes a
 * sleeper up may get it on its own processor, where it waits for its turn. */
enum { SHORT_LOOKS = 2000, LOOKS = SHORT_LOOKS + 3000, COUNT_BITS = 16 };

typedef struct worker {
    ltap_pool *pool;
    pthread_t thread;
    int index; /* from 1 on; the caller is 0 */
} worker;

struct ltap_pool {
    ltap_memory *memory;
    pid_t process;
    int n_workers; /* started */
    bool locked;   /* lock and conditions are there */
    atomic_bool busy, stop;
    _Atomic uint64_t ticket; /* number << COUNT_BITS | ranges */
    _Atomic uint64_t claims[LTAP_POOL_RANGES];
    atomic_int left, sleepers;
    atomic_bool waiting; /* the caller sleeps until left is 0 */
    void (*body)(const void *context, int64_t index);
    const void *context;
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    worker workers[];
};

/* Between one look and the next. */
static void pause_briefly(int looks)
{
    if (looks >= SHORT_LOOKS) {
        sched_yield();
        return;
    }
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void finish_range(ltap_pool *pool)
{
    if (atomic_fetch_sub(&pool->left, 1) != 1 || !atomic_load(&pool->waiting))
        return;
    pthread_mutex_lock(&pool->lock);
    pthread_cond_signal(&pool->done);
    pthread_mutex_unlock(&pool->lock);
}

/* Does what is left of a loop, beginning with range `own`. */
static void take_part(ltap_pool *pool, uint64_t ticket, int own)
{
    int count = (int)(ticket & ((1u << COUNT_BITS) - 1));
    uint64_t number = ticket >> COUNT_BITS;

    for (int i = 0; i < count; i++) {
        int index = (own + i) % count;
        uint64_t seen = atomic_load(&pool->claims[index]);
        if (seen >= number || !atomic_compare_exchange_strong(&pool->claims[index], &seen, number))
            continue;
        pool->body(pool->context, index);
        finish_range(pool);
    }
}

/* The next ticket after `seen`; the same where the pool ends. */
static uint64_t await_ticket(ltap_pool *pool, uint64_t seen)
{
    uint64_t ticket = atomic_load(&pool->ticket);

    for (int i = 0; i < LOOKS && ticket == seen && !atomic_load(&pool->stop); i++) {
        pause_briefly(i);
        ticket = atomic_load(&pool->ticket);
    }
    if (ticket != seen)
        return ticket;
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->sleepers, 1);
    while ((ticket = atomic_load(&pool->ticket)) == seen && !atomic_load(&pool->stop))
        pthread_cond_wait(&pool->wake, &pool->lock);
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->lock);
    return ticket;
}

static void *run_worker(void *argument)
{
    const worker *self = argument;
    uint64_t seen = 0;

    for (;;) {
        uint64_t ticket = await_ticket(self->pool, seen);
        if (ticket == seen)
            return NULL;
        seen = ticket;
        take_part(self->pool, ticket, self->index);
    }
}

/* Signals are for the program's own threads. */
static void start_workers(ltap_pool *pool, int wanted)
{
    sigset_t all, before;

    sigfillset(&all);
    if (wanted < 1 || pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return;
    for (; pool->n_workers < wanted; pool->n_workers++) {
        worker *w = &pool->workers[pool->n_workers];
        *w = (worker){.pool = pool, .index = pool->n_workers + 1};
        if (pthread_create(&w->thread, NULL, run_worker, w) != 0)
            break;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

ltap_status ltap_pool_new(ltap_memory *memory, int threads, ltap_pool **pool, ltap_error *error)
{
    int wanted = threads - 1 < MOST_WORKERS ? threads - 1 : MOST_WORKERS;
    void *block;

    wanted = wanted < 0 ? 0 : wanted;
    LTAP_TRY(ltap_memory_take_zeroed(memory, 1, sizeof(ltap_pool) + (size_t)wanted * sizeof(worker),
                                     "a pool of threads", &block, error));
    ltap_pool *made = block;
    made->memory = memory;
    made->process = getpid();
    made->locked = pthread_mutex_init(&made->lock, NULL) == 0 &&
                   pthread_cond_init(&made->wake, NULL) == 0 &&
                   pthread_cond_init(&made->done, NULL) == 0;
    if (made->locked)
        start_workers(made, wanted);
    *pool = made;
    return LTAP_OK;
}

void ltap_pool_check(ltap_pool *pool)
{
    if (pool->process == getpid())
        return;
    pool->n_workers = 0;
    pool->locked = false;
}

void ltap_pool_free(ltap_pool *pool)
{
    if (!pool)
        return;
    ltap_pool_check(pool);
    if (pool->n_workers > 0) {
        pthread_mutex_lock(&pool->lock);
        atomic_store(&pool->stop, true);
        pthread_cond_broadcast(&pool->wake);
        pthread_mutex_unlock(&pool->lock);
        for (int i = 0; i < pool->n_workers; i++)
            pthread_join(pool->workers[i].thread, NULL);
    }
    if (pool->locked) {
        pthread_mutex_destroy(&pool->lock);
        pthread_cond_destroy(&pool->wake);
        pthread_cond_destroy(&pool->done);
    }
    ltap_memory_release(pool->memory, pool);
}

/* Until what others have begun is done. */
static void await_rest(ltap_pool *pool)
{
    for (int i = 0; i < LOOKS && atomic_load(&pool->left) > 0; i++)
        pause_briefly(i);
    if (atomic_load(&pool->left) == 0)
        return;
    pthread_mutex_lock(&pool->lock);
    atomic_store(&pool->waiting, true);
    while (atomic_load(&pool->left) > 0)
        pthread_cond_wait(&pool->done, &pool->lock);
    atomic_store(&pool->waiting, false);
    pthread_mutex_unlock(&pool->lock);
}

bool ltap_pool_run(ltap_pool *pool, int count, void (*body)(const void *context, int64_t index),
                   const void *context)
{
    uint64_t ticket = atomic_load(&pool->ticket);

    if (pool->n_workers == 0 || count < 1 || count > LTAP_POOL_RANGES ||
        atomic_exchange(&pool->busy, true))
        return false;
    pool->body = body;
    pool->context = context;
    atomic_store(&pool->left, count);
    ticket = ((ticket >> COUNT_BITS) + 1) << COUNT_BITS | (uint64_t)count;
    atomic_store(&pool->ticket, ticket);
    if (atomic_load(&pool->sleepers) > 0) {
        pthread_mutex_lock(&pool->lock);
        pthread_cond_broadcast(&pool->wake);
        pthread_mutex_unlock(&pool->lock);
    }
    take_part(pool, ticket, 0);
    await_rest(pool);
    atomic_store(&pool->busy, false);
    return true;
}
