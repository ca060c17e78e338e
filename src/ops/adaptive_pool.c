/* PyTorch's AdaptiveAvgPool2d, which ONNX lacks: any size becomes the given one. Output i is the
 * mean of the inputs from floor(i * in / out) up to ceil((i + 1) * in / out).
 */
#include "base/parallel.h"
#include "ops/number.h"
#include "ops/rules.h"

#define MAX_SIZE 65536

typedef struct adaptive {
    const ltap_number *number;
    const ltap_tensor *x;
    ltap_tensor *y;
} adaptive;

static ltap_status adaptive_shape(const ltap_call *call, ltap_error *error)
{
    const int64_t *size;
    const ltap_tensor *x = &call->inputs[0];
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_FLOAT, error));
    LTAP_TRY(ltap_call_check_rank(call, 0, 4, error));
    if (ltap_node_ints(call->node, "output_size", &size) != 2 || size[0] < 1 || size[1] < 1 ||
        size[0] > MAX_SIZE || size[1] > MAX_SIZE)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "output_size is not two numbers from 1 to %d", MAX_SIZE);
    if (x->dims[2] < 1 || x->dims[3] < 1)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "its input has the shape %s, without pixels",
                              ltap_shape_text(x).text);
    int64_t dims[] = {x->dims[0], x->dims[1], size[0], size[1]};
    ltap_call_output(call, 0, x->dtype, 4, dims);
    return LTAP_OK;
}

static int64_t begin_of(int64_t i, int64_t in, int64_t out)
{
    return i * (in / out) + i * (in % out) / out; /* i * in may not fit */
}

static int64_t end_of(int64_t i, int64_t in, int64_t out)
{
    return (i + 1) * (in / out) + ((i + 1) * (in % out) + out - 1) / out;
}

static double sum_row(const adaptive *a, int64_t offset, int64_t count)
{
    double run[LTAP_RUN], sum = 0;
    for (int64_t first = 0; first < count; first += LTAP_RUN) {
        int64_t n = count - first < LTAP_RUN ? count - first : LTAP_RUN;
        a->number->load(a->x->data, offset + first, 1, n, run);
        for (int64_t i = 0; i < n; i++)
            sum += run[i];
    }
    return sum;
}

/* One output; plane: of a batch's channel. */
static double mean_at(const adaptive *a, int64_t plane, int64_t row, int64_t column)
{
    const int64_t *in = a->x->dims + 2, *out = a->y->dims + 2;
    int64_t top = begin_of(row, in[0], out[0]), bottom = end_of(row, in[0], out[0]);
    int64_t left = begin_of(column, in[1], out[1]), right = end_of(column, in[1], out[1]);
    double sum = 0;
    for (int64_t y = top; y < bottom; y++)
        sum += sum_row(a, (plane * in[0] + y) * in[1] + left, right - left);
    return sum / (double)((bottom - top) * (right - left));
}

static void pool_rows(void *context, int64_t first, int64_t last)
{
    const adaptive *a = context;
    int64_t rows = a->y->dims[2], columns = a->y->dims[3];
    for (int64_t task = first; task < last; task++)
        for (int64_t column = 0; column < columns; column++) {
            double mean = mean_at(a, task / rows, task % rows, column);
            a->number->store(&mean, 1, a->y->data, task * columns + column, 1);
        }
}

static ltap_status adaptive_reference(const ltap_call *call, ltap_error *error)
{
    ltap_tensor *y = &call->outputs[0];
    adaptive a = {ltap_number_find(y->dtype), &call->inputs[0], y};
    (void)error;
    if (ltap_call_wants(call, 0))
        ltap_parallel_for(call->threads, ltap_number_product(y->dims, 0, 3), 64, pool_rows, &a);
    return LTAP_OK;
}

const ltap_op ltap_op_adaptive_average_pool = {
    .name = "AdaptiveAveragePool",
    .domain = "layertap",
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = adaptive_shape,
    .reference = adaptive_reference,
};
