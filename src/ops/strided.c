/* Copying between two strided views. Axes are merged where both views allow it, so that what is
 * contiguous is copied in one piece.
 */
#include "ops/strided.h"
#include "base/parallel.h"
#include <string.h>

typedef struct job {
    ltap_strided view;
    const char *src;
    char *dst;
} job;

void ltap_strided_dense(int rank, const int64_t *dims, int64_t *strides)
{
    int64_t stride = 1;
    for (int i = rank - 1; i >= 0; i--) {
        strides[i] = stride;
        stride *= dims[i];
    }
}

/* Drops axes of length 1 and merges neighbours; false when there is nothing to copy. */
static bool simplify(const ltap_strided *view, ltap_strided *simple)
{
    int last = -1;
    *simple = *view;
    for (int i = 0; i < view->rank; i++) {
        if (view->dims[i] == 0)
            return false;
        if (view->dims[i] == 1)
            continue;
        bool merge = last >= 0 && simple->src[last] == view->src[i] * view->dims[i] &&
                     simple->dst[last] == view->dst[i] * view->dims[i];
        if (!merge)
            simple->dims[++last] = 1;
        simple->dims[last] *= view->dims[i];
        simple->src[last] = view->src[i];
        simple->dst[last] = view->dst[i];
    }
    if (last < 0) {
        last = 0;
        simple->dims[0] = simple->src[0] = simple->dst[0] = 1;
    }
    simple->rank = last + 1;
    return true;
}

#define COPY_ROW(T)                                                                                \
    for (int64_t i = 0; i < n; i++)                                                                \
        ((T *)(void *)dst)[i * to] = ((const T *)(const void *)src)[i * from];                     \
    break

typedef struct pair {
    uint64_t halves[2];
} pair;

static void copy_row(const job *j, const char *src, char *dst)
{
    int axis = j->view.rank - 1;
    int64_t n = j->view.dims[axis], from = j->view.src[axis], to = j->view.dst[axis];
    if (from == 1 && to == 1) {
        memcpy(dst, src, (size_t)n * j->view.element_bytes);
        return;
    }
    switch (j->view.element_bytes) {
    case 1:
        COPY_ROW(uint8_t);
    case 2:
        COPY_ROW(uint16_t);
    case 4:
        COPY_ROW(uint32_t);
    case 8:
        COPY_ROW(uint64_t);
    default:
        COPY_ROW(pair);
    }
}

static void copy_rows(void *context, int64_t first, int64_t last)
{
    const job *j = context;
    for (int64_t row = first; row < last; row++) {
        int64_t rest = row, src = 0, dst = 0;
        for (int axis = j->view.rank - 2; axis >= 0; axis--) {
            int64_t index = rest % j->view.dims[axis];
            rest /= j->view.dims[axis];
            src += index * j->view.src[axis];
            dst += index * j->view.dst[axis];
        }
        copy_row(j, j->src + src * j->view.element_bytes, j->dst + dst * j->view.element_bytes);
    }
}

void ltap_strided_copy(const ltap_strided *view, const void *src, void *dst)
{
    job j = {.src = src, .dst = dst};
    if (!simplify(view, &j.view))
        return;
    int64_t rows = 1, row_length = j.view.dims[j.view.rank - 1];
    for (int i = 0; i + 1 < j.view.rank; i++)
        rows *= j.view.dims[i];
    ltap_parallel_for(view->threads, rows, 1 + 32768 / row_length, copy_rows, &j);
}

void ltap_strided_fill(void *dst, const void *element, int64_t count, unsigned element_bytes)
{
    if (count <= 0)
        return;
    memcpy(dst, element, element_bytes);
    size_t done = element_bytes, total = (size_t)count * element_bytes;
    while (done < total) {
        size_t n = done < total - done ? done : total - done;
        memcpy((char *)dst + done, dst, n);
        done += n;
    }
}
