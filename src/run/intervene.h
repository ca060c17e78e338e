/* Interventions as hooks of our own. */
#ifndef LTAP_RUN_INTERVENE_H
#define LTAP_RUN_INTERVENE_H

#include "run/run.h"
#include <layertap/intervene.h>

/* The arguments are checked. */
ltap_status ltap_run_intervene(ltap_run *run, const ltap_intervention *intervention,
                               uint64_t *number, ltap_error *error);

#endif
