/* The measured peak that profiles are compared with: chains of multiply-adds in registers, enough
 * of them that none waits for another (latency 4, two units: eight; here twelve). One loop,
 * compiled once per width of the registers; the file is built with contraction, so that a product
 * and a sum become one instruction where there is one. Each thread keeps its best burst; their sum
 * is the peak. */
#include "cli/peak.h"
#include "cli/progress.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { CHAINS = 12, TURNS = 400000, BURSTS = 16 };

/* A burst: how many operations were done. The chains begin with different numbers and end in sink,
 * or they would be merged or left out. */
#define DEFINE_BURST(name, bytes, attributes)                                                      \
    attributes static double name(float a, float b, float *sink)                                   \
    {                                                                                              \
        typedef float vector __attribute__((vector_size(bytes)));                                  \
        enum { LANES = (bytes) / sizeof(float) };                                                  \
        vector c0 = {0}, c1 = c0 + 1, c2 = c0 + 2, c3 = c0 + 3, c4 = c0 + 4, c5 = c0 + 5,          \
               c6 = c0 + 6, c7 = c0 + 7, c8 = c0 + 8, c9 = c0 + 9, c10 = c0 + 10, c11 = c0 + 11;   \
        for (int i = 0; i < TURNS; i++) {                                                          \
            c0 = c0 * a + b, c1 = c1 * a + b, c2 = c2 * a + b, c3 = c3 * a + b;                    \
            c4 = c4 * a + b, c5 = c5 * a + b, c6 = c6 * a + b, c7 = c7 * a + b;                    \
            c8 = c8 * a + b, c9 = c9 * a + b, c10 = c10 * a + b, c11 = c11 * a + b;                \
            __asm__ volatile("" ::: "memory");                                                     \
        }                                                                                          \
        vector sum = c0 + c1 + c2 + c3 + c4 + c5 + c6 + c7 + c8 + c9 + c10 + c11;                  \
        *sink = sum[0] + sum[LANES - 1];                                                           \
        return 2.0 * CHAINS * LANES * TURNS;                                                       \
    }                                                                                              \
    static double name(float a, float b, float *sink)

DEFINE_BURST(burst_16, 16, );
#if defined(__x86_64__)
DEFINE_BURST(burst_32, 32, __attribute__((target("avx2,fma"))));
DEFINE_BURST(burst_64, 64, __attribute__((target("avx512f"))));
#endif

static double (*choose_burst(void))(float, float, float *)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        return burst_64;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return burst_32;
#endif
    return burst_16;
}

typedef struct worker {
    pthread_t thread;
    double best;
    float sink;
} worker;

static void *work(void *context)
{
    worker *self = context;
    double (*burst)(float, float, float *) = choose_burst();
    for (int i = 0; i < BURSTS; i++) {
        double began = cli_seconds();
        /* Towards 1: no number on the way is denormal. */
        double rate = burst(0.5f, 0.5f, &self->sink) / (cli_seconds() - began);
        self->best = rate > self->best ? rate : self->best;
    }
    return NULL;
}

double cli_peak_measure(int threads)
{
    worker *workers = calloc((size_t)threads, sizeof(*workers));
    double sum = 0;
    int made = 0;
    while (workers && made < threads &&
           pthread_create(&workers[made].thread, NULL, work, &workers[made]) == 0)
        made++;
    for (int i = 0; i < made; i++) {
        pthread_join(workers[i].thread, NULL);
        sum += workers[i].best;
    }
    free(workers);
    return made == threads ? sum : 0;
}
