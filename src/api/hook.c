/* Public functions of <layertap/hook.h>: check arguments, call inside, nothing else. */
#include <layertap/hook.h>

#include "base/error.h"
#include "run/run.h"

ltap_status ltap_hook_add(ltap_run *run, const ltap_hook *hook, uint64_t *number, ltap_error *error)
{
    ltap_hooked *added;

    if (!run || !hook || !hook->layer || !hook->callback)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "ltap_hook_add: %s is NULL",
                              !run           ? "run"
                              : !hook        ? "hook"
                              : !hook->layer ? "the hook's layer"
                                             : "the hook's callback");
    if (hook->side != LTAP_HOOK_AFTER && hook->side != LTAP_HOOK_BEFORE)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "ltap_hook_add: side is %d; after is 0, before is 1",
                              (int)hook->side);
    LTAP_TRY(ltap_hooks_add(&run->hooks, run->getter, hook, &added, error));
    if (number)
        *number = added->number;
    return LTAP_OK;
}

void ltap_hook_remove(ltap_run *run, uint64_t number)
{
    ltap_hooks_remove(&run->hooks, number, run->busy);
}
