/* The kinds of ONNX's attributes. */
#ifndef LTAP_OPS_ATTRIBUTES_H
#define LTAP_OPS_ATTRIBUTES_H

#include "graph/graph.h"

/* LTAP_ERROR_FORMAT naming an attribute that is of another kind than ONNX has it. */
ltap_status ltap_attributes_check(const ltap_node *node, ltap_error *error);

#endif
