/* A part of a tensor, as numpy writes it: "[:,17]", "[0:2,:,-1]". */
#ifndef LTAP_RUN_PART_H
#define LTAP_RUN_PART_H

#include "tensor/tensor.h"

typedef struct ltap_part_axis {
    bool single; /* one index: no axis of the part */
    bool has_first, has_end;
    int64_t first, end; /* negative: from the end */
} ltap_part_axis;

typedef struct ltap_part {
    int n_axes; /* said; the others are whole */
    ltap_part_axis axes[LTAP_MAX_RANK];
} ltap_part;

/* Cuts a part off the end of a text; bytes: what is left. False: there is none. */
bool ltap_part_cut(const char *text, size_t *bytes, ltap_part *part);

/* A part of one tensor: first and count of each axis. */
typedef struct ltap_box {
    int rank;
    int64_t first[LTAP_MAX_RANK], count[LTAP_MAX_RANK];
    ltap_tensor shape; /* of the part: without the axes of single indices */
} ltap_box;

/* Errors: LTAP_ERROR_INPUT for more axes than there are, and indices out of range. Ranges are cut
 * to what there is, as in numpy. */
ltap_status ltap_part_fit(const ltap_part *part, const ltap_tensor *tensor, ltap_box *box,
                          ltap_error *error);

#endif
