/* The inside of the public ltap_summary. */
#ifndef LTAP_TENSOR_SUMMARY_H
#define LTAP_TENSOR_SUMMARY_H

#include "base/memory.h"
#include <layertap/summary.h>

ltap_status ltap_summary_make(const ltap_allocator *allocator, ltap_summary **summary,
                              ltap_error *error);
void ltap_summary_release(ltap_summary *summary);
void ltap_summary_set_channels(ltap_summary *summary, int axis);
ltap_status ltap_summary_take(ltap_summary *summary, const ltap_tensor *tensor, ltap_error *error);
void ltap_summary_read(const ltap_summary *summary, ltap_facts *facts);

#endif
