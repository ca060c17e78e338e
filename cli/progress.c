/* The progress line: rewritten at most five times a second, gone when the work is. */
#include "cli/progress.h"
#include <stdio.h>
#include <time.h>
#include <unistd.h>

double cli_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void cli_progress_init(cli_progress *progress, int64_t total, int quiet)
{
    *progress = (cli_progress){.began = cli_seconds(), .total = total};
    progress->active = !quiet && isatty(fileno(stderr));
}

void cli_progress_show(cli_progress *progress, int64_t done)
{
    double now = cli_seconds(), spent = now - progress->began;
    if (!progress->active || spent < 1 || now - progress->shown < 0.2 || done <= 0)
        return;
    double rate = (double)done / spent;
    fprintf(stderr, "\r%lld/%lld  %.1f/s  %.0f s left \033[K", (long long)done,
            (long long)progress->total, rate, (double)(progress->total - done) / rate);
    fflush(stderr);
    progress->shown = now;
}

void cli_progress_clear(cli_progress *progress)
{
    if (progress->shown > 0)
        fputs("\r\033[K", stderr);
    progress->shown = 0;
}
