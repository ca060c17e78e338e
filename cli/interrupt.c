/* A handler may do next to nothing, so it sets a flag, which the loop over batches reads; the one
 * place of the tool where the language forces a global. */
#include "cli/interrupt.h"
#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t seen;

static const int watched[] = {SIGINT, SIGTERM, SIGHUP};

static void note(int number)
{
    seen = number;
}

void cli_interrupt_watch(void)
{
    struct sigaction action = {.sa_handler = note, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof(watched) / sizeof(watched[0]); i++) {
        struct sigaction before;
        if (sigaction(watched[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(watched[i], &action, NULL);
    }
}

int cli_interrupt_seen(void)
{
    return seen;
}

void cli_interrupt_end(void)
{
    if (!seen)
        return;
    signal(seen, SIG_DFL);
    raise(seen);
}
