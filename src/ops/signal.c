/* Windows, DFT, STFT and MelWeightMatrix: what sound is looked at through.
 *
 * The transform is the plain sum, in double: n * n steps a line.
 */
#include "base/parallel.h"
#include "ops/elements.h"
#include "ops/number.h"
#include "ops/rules.h"
#include <math.h>

#define TWO_PI 6.283185307179586476925286766559

/* a0 - a1 cos(x) + a2 cos(2 x) */
typedef struct window {
    double a0, a1, a2;
} window;

static const window hann = {0.5, 0.5, 0}, hamming = {25.0 / 46, 21.0 / 46, 0},
                    blackman = {0.42, 0.5, 0.08};

static ltap_status check_float(const ltap_call *call, ltap_dtype *type, ltap_error *error)
{
    int64_t number = ltap_node_int(call->node, "output_datatype", LTAP_FLOAT32);
    *type = (ltap_dtype)number;
    if (number > 0 && number < 32 && (LTAP_TYPES_NUMBER & LTAP_TYPE(*type)))
        return LTAP_OK;
    return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED, "makes type %lld, which layertap does not",
                          (long long)number);
}

static ltap_status window_shape(const ltap_call *call, ltap_error *error)
{
    int64_t size = 0;
    ltap_dtype type;
    LTAP_TRY(check_float(call, &type, error));
    LTAP_TRY(ltap_call_int(call, 0, "size", &size, error));
    if (size < 0)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "its size is %lld", (long long)size);
    ltap_call_output(call, 0, type, 1, &size);
    return LTAP_OK;
}

static void fill_window(const ltap_call *call, const window *w)
{
    const ltap_tensor *y = &call->outputs[0];
    bool periodic = ltap_node_int(call->node, "periodic", 1) != 0;
    int64_t size = y->dims[0], period = periodic ? size : size - 1;
    for (int64_t i = 0; i < size && ltap_call_wants(call, 0); i++) {
        double x = period > 0 ? TWO_PI * (double)i / (double)period : 0;
        double number = w->a0 - w->a1 * cos(x) + w->a2 * cos(2 * x);
        ltap_store_doubles(y->dtype, y->data, i, 1, &number);
    }
}

/* Lines of complex numbers: y[k] = sum over t of x[t] exp(-2 pi i t k / n). */
typedef struct transform {
    const ltap_tensor *x, *window, *y;      /* window: NULL for all ones */
    double *roots;                          /* n pairs: cos, sin of 2 pi k / n */
    int64_t n, given;                       /* length, and how much of it x has: the rest is 0 */
    int64_t inner, x_parts, y_parts;        /* parts: 1 real, 2 complex */
    int64_t bins;                           /* outputs a line */
    int64_t x_batch, x_line, x_step, lines; /* elements from one batch, line, t to the next */
    bool inverse, mirrored;                 /* mirrored: x holds half of a symmetric spectrum */
} transform;

static double read_real(const ltap_tensor *t, int64_t at)
{
    double number;
    ltap_load_doubles(t->dtype, t->data, at, 1, &number);
    return number;
}

/* Element t of a line, as a complex number. */
static void read_input(const transform *f, int64_t start, int64_t t, double *re, double *im)
{
    bool other_half = f->mirrored && t >= f->given && f->n - t < f->given;
    int64_t from = other_half ? f->n - t : t;
    *re = *im = 0;
    if (from >= f->given)
        return;
    int64_t at = (start + from * f->x_step) * f->x_parts;
    double scale = f->window ? read_real(f->window, t) : 1;
    *re = read_real(f->x, at) * scale;
    *im = f->x_parts == 2 ? read_real(f->x, at + 1) * scale : 0;
    *im = other_half ? -*im : *im;
}

/* Adds elements first to last - 1 of a line. */
static void add_elements(const transform *f, int64_t start, int64_t k, const int64_t range[2],
                         double *sum)
{
    int64_t turn = range[0] % f->n * k % f->n;
    for (int64_t t = range[0]; t < range[1]; t++, turn = (turn + k) % f->n) {
        double re, im, c = f->roots[2 * turn], s = f->roots[2 * turn + 1];
        read_input(f, start, t, &re, &im);
        s = f->inverse ? s : -s;
        sum[0] += re * c - im * s;
        sum[1] += re * s + im * c;
    }
}

/* What x does not have is 0 and is left out. */
static void transform_bin(const transform *f, int64_t start, int64_t k, double *sum)
{
    int64_t mirror = f->n - f->given + 1;
    sum[0] = sum[1] = 0;
    add_elements(f, start, k, (const int64_t[]){0, f->given}, sum);
    if (f->mirrored)
        add_elements(f, start, k, (const int64_t[]){mirror > f->given ? mirror : f->given, f->n},
                     sum);
    double scale = f->inverse ? 1 / (double)f->n : 1;
    sum[0] *= scale;
    sum[1] *= scale;
}

/* Outputs are [batch, bins, inner] of a DFT, or [batch, lines, bins] of an STFT (inner 1). */
static void transform_lines(void *context, int64_t first, int64_t last)
{
    const transform *f = context;
    for (int64_t i = first; i < last; i++) {
        int64_t at = i % f->inner, k = i / f->inner % f->bins, line = i / f->inner / f->bins;
        int64_t start = line / f->lines * f->x_batch + line % f->lines * f->x_line + at;
        double sum[2];
        transform_bin(f, start, k, sum);
        ltap_store_doubles(f->y->dtype, f->y->data, i * f->y_parts, f->y_parts, sum);
    }
}

static ltap_status run_transform(const ltap_call *call, transform *f, ltap_error *error)
{
    int64_t count = (int64_t)ltap_tensor_count(f->y) / f->y_parts;
    void *roots;
    if (count == 0 || !ltap_call_wants(call, 0))
        return LTAP_OK;
    LTAP_TRY(ltap_memory_take(call->memory, (uint64_t)f->n * 2 * sizeof(double), "roots of unity",
                              &roots, error));
    f->roots = roots;
    for (int64_t k = 0; k < f->n; k++) {
        f->roots[2 * k] = cos(TWO_PI * (double)k / (double)f->n);
        f->roots[2 * k + 1] = sin(TWO_PI * (double)k / (double)f->n);
    }
    ltap_parallel_for(call->threads, count, 16, transform_lines, f);
    ltap_memory_release(call->memory, roots);
    return LTAP_OK;
}

static ltap_status read_dft(const ltap_call *call, transform *f, int *axis, ltap_error *error)
{
    const ltap_tensor *x = &call->inputs[0];
    int64_t number = -2;
    bool half = ltap_node_int(call->node, "onesided", 0) != 0;
    *f = (transform){.x = x, .inner = 1, .lines = 1};
    if (x->rank < 2 || x->dims[x->rank - 1] < 1 || x->dims[x->rank - 1] > 2)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "its input has shape %s; the last axis must have 1 or 2 numbers",
                              ltap_shape_text(x).text);
    if (ltap_call_has(call, 2))
        LTAP_TRY(ltap_call_int(call, 2, "axis", &number, error));
    LTAP_TRY(ltap_axis_check(number, x->rank, axis, error));
    if (*axis == x->rank - 1)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "its axis is the one of real and imaginary "
                              "parts");
    f->inverse = ltap_node_int(call->node, "inverse", 0) != 0;
    f->x_parts = x->dims[x->rank - 1];
    f->mirrored = half && f->inverse;
    f->y_parts = f->mirrored ? 1 : 2;
    f->n = f->mirrored ? 2 * (x->dims[*axis] - 1) : x->dims[*axis];
    if (ltap_call_has(call, 1))
        LTAP_TRY(ltap_call_int(call, 1, "length", &f->n, error));
    if (f->n < 1)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "its length is %lld", (long long)f->n);
    f->given = f->n < x->dims[*axis] ? f->n : x->dims[*axis];
    f->bins = half && !f->inverse ? f->n / 2 + 1 : f->n;
    f->inner = f->x_step = ltap_number_product(x->dims, *axis + 1, x->rank - 1);
    f->x_batch = f->inner * x->dims[*axis];
    return LTAP_OK;
}

static ltap_status dft_shape(const ltap_call *call, ltap_error *error)
{
    transform f;
    ltap_tensor y = call->inputs[0];
    int axis = 0;
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_FLOAT, error));
    LTAP_TRY(read_dft(call, &f, &axis, error));
    y.dims[axis] = f.bins;
    y.dims[y.rank - 1] = f.y_parts;
    ltap_call_output(call, 0, y.dtype, y.rank, y.dims);
    return LTAP_OK;
}

static ltap_status dft_reference(const ltap_call *call, ltap_error *error)
{
    transform f;
    int axis = 0;
    LTAP_TRY(read_dft(call, &f, &axis, error));
    f.y = &call->outputs[0];
    return run_transform(call, &f, error);
}

static uint64_t dft_temporary(const ltap_call *call)
{
    transform f;
    int axis = 0;
    return read_dft(call, &f, &axis, NULL) == LTAP_OK ? (uint64_t)f.n * 2 * sizeof(double) : 0;
}

/* signal [batch, length, 1 or 2], frame_step, window or none, frame_length or none */
static ltap_status read_stft(const ltap_call *call, transform *f, ltap_error *error)
{
    const ltap_tensor *x = &call->inputs[0];
    int64_t step = 0;
    *f = (transform){.x = x, .inner = 1, .x_parts = x->rank == 3 ? x->dims[2] : 1, .y_parts = 2};
    if (x->rank < 2 || x->rank > 3 || f->x_parts < 1 || f->x_parts > 2)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "its signal has shape %s",
                              ltap_shape_text(x).text);
    LTAP_TRY(ltap_call_int(call, 1, "step", &step, error));
    if (ltap_call_has(call, 2))
        f->window = &call->inputs[2];
    f->n = f->window && f->window->rank == 1 ? f->window->dims[0] : 0;
    if (ltap_call_has(call, 3))
        LTAP_TRY(ltap_call_int(call, 3, "length", &f->n, error));
    if (step < 1 || f->n < 1 || f->n > x->dims[1] ||
        (f->window && (f->window->rank != 1 || f->window->dims[0] != f->n)))
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "frames of %lld, %lld apart, do not fit a signal of %lld and its "
                              "window",
                              (long long)f->n, (long long)step, (long long)x->dims[1]);
    f->given = f->n;
    f->bins = ltap_node_int(call->node, "onesided", 1) != 0 ? f->n / 2 + 1 : f->n;
    f->lines = (x->dims[1] - f->n) / step + 1;
    f->x_batch = x->dims[1];
    f->x_line = step;
    f->x_step = 1;
    return LTAP_OK;
}

static ltap_status stft_shape(const ltap_call *call, ltap_error *error)
{
    transform f;
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_FLOAT, error));
    if (ltap_call_has(call, 2))
        LTAP_TRY(ltap_call_check_same(call, 0, 2, error));
    LTAP_TRY(read_stft(call, &f, error));
    const int64_t dims[4] = {call->inputs[0].dims[0], f.lines, f.bins, 2};
    ltap_call_output(call, 0, call->inputs[0].dtype, 4, dims);
    return LTAP_OK;
}

static ltap_status stft_reference(const ltap_call *call, ltap_error *error)
{
    transform f;
    LTAP_TRY(read_stft(call, &f, error));
    f.y = &call->outputs[0];
    return run_transform(call, &f, error);
}

static uint64_t stft_temporary(const ltap_call *call)
{
    transform f;
    return read_stft(call, &f, NULL) == LTAP_OK ? (uint64_t)f.n * 2 * sizeof(double) : 0;
}

/* bins of mel, length of the DFT, sample rate, lowest and highest frequency */
typedef struct mel {
    int64_t bins, length, rate;
    double low, high;
} mel;

static ltap_status read_mel(const ltap_call *call, mel *m, ltap_error *error)
{
    LTAP_TRY(ltap_call_int(call, 0, "number of bins", &m->bins, error));
    LTAP_TRY(ltap_call_int(call, 1, "length", &m->length, error));
    LTAP_TRY(ltap_call_int(call, 2, "sample rate", &m->rate, error));
    for (size_t i = 3; i < 5; i++) {
        LTAP_TRY(ltap_call_check_type(call, i, LTAP_TYPES_FLOAT, error));
        if (ltap_tensor_count(&call->inputs[i]) != 1)
            return ltap_error_set(error, LTAP_ERROR_FORMAT, "input %zu is not one number", i);
        if (!call->inputs[i].data)
            return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED, "its frequencies depend on data");
    }
    m->low = ltap_tensor_double(&call->inputs[3], 0);
    m->high = ltap_tensor_double(&call->inputs[4], 0);
    bool ordered = m->low >= 0 && m->high >= m->low && m->high <= (double)m->rate / 2;
    if (m->bins >= 0 && m->length >= 1 && m->rate >= 1 && ordered)
        return LTAP_OK;
    return ltap_error_set(
        error, LTAP_ERROR_FORMAT, "%lld bins of %g to %g Hz, of %lld samples at %lld Hz",
        (long long)m->bins, m->low, m->high, (long long)m->length, (long long)m->rate);
}

static ltap_status mel_shape(const ltap_call *call, ltap_error *error)
{
    mel m;
    ltap_dtype type;
    LTAP_TRY(check_float(call, &type, error));
    LTAP_TRY(read_mel(call, &m, error));
    const int64_t dims[2] = {m.length / 2 + 1, m.bins};
    ltap_call_output(call, 0, type, 2, dims);
    return LTAP_OK;
}

/* The spectrogram's row where mel bin edge `index` lies. */
static int64_t mel_edge(const mel *m, int64_t index)
{
    double low = 2595 * log10(1 + m->low / 700), high = 2595 * log10(1 + m->high / 700);
    double at = low + (double)index * (high - low) / (double)(m->bins + 2);
    return (int64_t)floor((double)(m->length + 1) * 700 * (pow(10, at / 2595) - 1) /
                          (double)m->rate);
}

static ltap_status mel_reference(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *y = &call->outputs[0];
    mel m;
    LTAP_TRY(read_mel(call, &m, error));
    for (int64_t i = 0; i < m.bins && ltap_call_wants(call, 0); i++) {
        int64_t low = mel_edge(&m, i), middle = mel_edge(&m, i + 1), high = mel_edge(&m, i + 2);
        for (int64_t row = 0; row < y->dims[0]; row++) {
            double weight = 0;
            if (row >= low && row <= middle)
                weight = middle > low ? (double)(row - low) / (double)(middle - low) : 1;
            if (row >= middle && row < high)
                weight = (double)(high - row) / (double)(high - middle);
            ltap_store_doubles(y->dtype, y->data, row * m.bins + i, 1, &weight);
        }
    }
    return LTAP_OK;
}

#define WINDOW(id, onnx_name, numbers)                                                             \
    static ltap_status id##_reference(const ltap_call *call, ltap_error *error)                    \
    {                                                                                              \
        fill_window(call, &numbers);                                                               \
        return LTAP_OK;                                                                            \
    }                                                                                              \
    const ltap_op ltap_op_##id = {.name = onnx_name,                                               \
                                  .domain = "",                                                    \
                                  .min_inputs = 1,                                                 \
                                  .max_inputs = 1,                                                 \
                                  .min_outputs = 1,                                                \
                                  .max_outputs = 1,                                                \
                                  .shape = window_shape,                                           \
                                  .reference = id##_reference};

WINDOW(hann_window, "HannWindow", hann)
WINDOW(hamming_window, "HammingWindow", hamming)
WINDOW(blackman_window, "BlackmanWindow", blackman)

const ltap_op ltap_op_dft = {
    .name = "DFT",
    .domain = "",
    .min_inputs = 1,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = dft_shape,
    .reference = dft_reference,
    .temporary = dft_temporary,
};

const ltap_op ltap_op_stft = {
    .name = "STFT",
    .domain = "",
    .min_inputs = 2,
    .max_inputs = 4,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = stft_shape,
    .reference = stft_reference,
    .temporary = stft_temporary,
};

const ltap_op ltap_op_mel_weight_matrix = {
    .name = "MelWeightMatrix",
    .domain = "",
    .min_inputs = 5,
    .max_inputs = 5,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = mel_shape,
    .reference = mel_reference,
};
