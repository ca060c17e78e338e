/* Broadcasting and strides: how one shape is seen as another. */
#include "tensor/tensor.h"

bool ltap_dims_broadcast(const ltap_tensor *a, const ltap_tensor *b, ltap_tensor *out)
{
    int rank = a->rank > b->rank ? a->rank : b->rank;
    ltap_tensor result = *out;
    result.rank = rank;
    for (int i = 0; i < rank; i++) {
        int ia = i - (rank - a->rank), ib = i - (rank - b->rank);
        int64_t da = ia >= 0 ? a->dims[ia] : 1, db = ib >= 0 ? b->dims[ib] : 1;
        if (da != db && da != 1 && db != 1)
            return false;
        result.dims[i] = da == 1 ? db : da;
    }
    *out = result;
    return true;
}

void ltap_dims_strides(const ltap_tensor *t, const ltap_tensor *out, int64_t *strides)
{
    int lead = out->rank - t->rank;
    int64_t stride = 1;
    for (int i = out->rank - 1; i >= 0; i--) {
        int64_t size = i >= lead ? t->dims[i - lead] : 1;
        strides[i] = size == 1 ? 0 : stride;
        stride *= size;
    }
}

int ltap_channel_axis(int rank, int given)
{
    if (given == 0)
        return rank == 3 ? 2 : 1;
    return given < 0 ? given + rank : given;
}
