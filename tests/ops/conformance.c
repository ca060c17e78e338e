/* Runs ONNX's own test data: each folder has model.onnx and test_data_set_*, with inputs and the
 * outputs expected. Usage: conformance [-v] FOLDER...
 *
 * Every node is done by its reference kernel. Prints failures, then counts: passed, failed,
 * unsupported with the reasons, decided otherwise. Nothing is left out silently; exit status 1 when
 * anything failed.
 */
#include "base/file.h"
#include "formats/format.h"
#include "formats/onnx/onnx.h"
#include "ops/op.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OPERANDS = 64, MAX_REASONS = 512 };

typedef struct reason {
    char text[160];
    int count;
} reason;

typedef struct totals {
    int passed, failed, unsupported, otherwise, n_reasons;
    reason reasons[MAX_REASONS];
    bool verbose;
} totals;

/* Tests that ask for what we decided otherwise, and why. They must go on failing: one that passes
 * after all does not belong here. */
static const struct {
    const char *name, *why;
} otherwise[] = {
    {"test_resize_downsample_scales_linear_align_corners",
     "align_corners by scales divides by the whole output size less one, as PyTorch and ONNX Runtime"},
    {"test_resize_downsample_scales_cubic_align_corners",
     "align_corners by scales divides by the whole output size less one, as PyTorch and ONNX Runtime"},
};

/* Tests whose expected numbers are off themselves, and by how much. */
static const struct {
    const char *name;
    double absolute;
    const char *why;
} noisy[] = {
    {"test_dft_inverse", 2e-7, "its zeros are float32 sums, up to 1.9e-7"},
    {"test_dft_inverse_opset19", 2e-7, "its zeros are float32 sums, up to 1.9e-7"},
};

/* One folder: everything in it dies with the arena. */
typedef struct folder {
    const char *path;
    double absolute; /* tolerance of its test */
    ltap_memory *memory;
    ltap_arena arena, scratch;
    ltap_file file;
    ltap_source source;
    ltap_graph *graph;
    ltap_tensor *values; /* of the graph; data NULL where not computed yet */
} folder;

static ltap_status unsupported(ltap_error *error, const char *what, const char *which)
{
    return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED, "%s %s", what, which);
}

static ltap_status load(folder *f, ltap_error *error)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/model.onnx", f->path);
    LTAP_TRY(ltap_file_open(path, false, f->memory, &f->file, error));
    ltap_source_init(&f->source, f->file.data, f->file.size, f->memory);
    f->source.path = path;
    LTAP_TRY(ltap_format_load(&f->source, &f->graph, error));
    f->source.path = NULL;
    ltap_ops_bind(f->graph);
    void *block;
    LTAP_TRY(
        ltap_arena_take(&f->arena, f->graph->values.count + 1, sizeof(ltap_tensor), &block, error));
    f->values = block;
    return LTAP_OK;
}

static ltap_status own_copy(folder *f, const ltap_tensor *src, ltap_tensor *dst, ltap_error *error)
{
    void *block;
    LTAP_TRY(ltap_arena_take(&f->arena, ltap_tensor_bytes(src) + 1, 1, &block, error));
    memcpy(block, src->data, (size_t)ltap_tensor_bytes(src));
    *dst = *src;
    dst->data = block;
    return LTAP_OK;
}

/* Reads "input_3.pb", a TensorProto; *found is false when there is no such file. */
static ltap_status read_tensor(folder *f, const char *set, const char *kind, size_t index,
                               ltap_tensor *tensor, bool *found, ltap_error *error)
{
    char path[4096];
    ltap_file file = {0};
    snprintf(path, sizeof(path), "%s/%s/%s_%zu.pb", f->path, set, kind, index);
    *found = ltap_file_open(path, false, f->memory, &file, error) == LTAP_OK;
    if (!*found)
        return LTAP_OK;
    /* The reader takes offset 0 for "absent", so the message is put behind one byte. */
    void *block;
    ltap_status status;
    LTAP_GO(ltap_arena_take(&f->arena, file.size + 1, 1, &block, error));
    if (file.size > 0)
        memcpy((char *)block + 1, file.data, file.size);
    ltap_onnx reader = {.wire = {block, file.size + 1}, .arena = &f->arena, .source = &f->source};
    reader.scratch = f->scratch;
    ltap_onnx_tensor parsed;
    status = ltap_onnx_tensor_read(&reader, (ltap_wire_span){1, file.size}, &parsed, error);
    if (status == LTAP_OK)
        status = ltap_onnx_tensor_align(&reader, &parsed, error);
    f->scratch = reader.scratch;
    *tensor = parsed.tensor;
done:
    ltap_file_close(&file);
    return status;
}

static bool is_tensor(const ltap_value *value)
{
    return value->type.kind == LTAP_TYPE_TENSOR || value->type.kind == LTAP_TYPE_UNKNOWN;
}

/* Old data sets hold bfloat16 as uint16. */
static void mend_bfloat16(ltap_tensor *tensor, ltap_dtype declared)
{
    if (tensor->dtype == LTAP_UINT16 && declared == LTAP_BFLOAT16)
        tensor->dtype = LTAP_BFLOAT16;
}

/* All inputs of a data set into the graph's values. */
static ltap_status read_inputs(folder *f, const char *set, ltap_error *error)
{
    for (size_t i = 0; i < f->graph->inputs.count; i++) {
        uint32_t index = *LTAP_VECTOR_AT(&f->graph->inputs, uint32_t, i);
        bool found = false;
        ltap_tensor tensor;
        if (!is_tensor(ltap_graph_at(f->graph, index)))
            return unsupported(error, "an input that is", "a sequence or an optional");
        LTAP_TRY(read_tensor(f, set, "input", i, &tensor, &found, error));
        if (!found || tensor.dtype == LTAP_STRING)
            return found ? unsupported(error, "an input of", "strings")
                         : ltap_error_set(error, LTAP_ERROR_FILE, "input_%zu.pb is missing", i);
        mend_bfloat16(&tensor, ltap_graph_at(f->graph, index)->type.dtype);
        LTAP_TRY(own_copy(f, &tensor, &f->values[index], error));
    }
    return LTAP_OK;
}

static ltap_status read_constants(folder *f, ltap_error *error)
{
    for (size_t i = 0; i < f->graph->values.count; i++) {
        const ltap_value *value = ltap_graph_at(f->graph, (uint32_t)i);
        if (value->constant && value->constant->dtype == LTAP_STRING)
            return unsupported(error, "a constant of", "strings");
        if (value->constant)
            LTAP_TRY(own_copy(f, value->constant, &f->values[i], error));
    }
    return LTAP_OK;
}

/* A rule that is not shown the data of values made while running must refuse or say the same. */
static ltap_status check_blind_rule(folder *f, const ltap_call *call, ltap_error *error)
{
    ltap_tensor inputs[MAX_OPERANDS], outputs[MAX_OPERANDS] = {{0}};
    ltap_call blind = *call;
    blind.inputs = inputs;
    blind.outputs = outputs;
    for (size_t i = 0; i < call->n_inputs; i++) {
        uint32_t value = call->node->inputs[i];
        inputs[i] = call->inputs[i];
        if (value != LTAP_NO_VALUE && !ltap_graph_at(f->graph, value)->constant)
            inputs[i].data = NULL;
    }
    ltap_error refusal;
    ltap_status status = ltap_op_shape(f->graph, &blind, &refusal);
    if (status == LTAP_ERROR_UNSUPPORTED)
        return LTAP_OK;
    for (size_t i = 0; status == LTAP_OK && i < call->n_outputs; i++)
        if (outputs[i].dtype != call->outputs[i].dtype ||
            !ltap_tensor_same_shape(&outputs[i], &call->outputs[i]))
            return ltap_error_set(error, LTAP_ERROR_INTERNAL,
                                  "the shape of output %zu depends on data", i);
    return status == LTAP_OK
               ? LTAP_OK
               : ltap_error_set(error, LTAP_ERROR_INTERNAL, "without data, the shape rule says: %s",
                                refusal.message);
}

static ltap_status run_node(folder *f, const ltap_node *node, ltap_error *error)
{
    ltap_tensor inputs[MAX_OPERANDS] = {{0}}, outputs[MAX_OPERANDS] = {{0}};
    if (!node->op)
        return unsupported(error, "operator", node->op_type);
    if (node->n_inputs > MAX_OPERANDS || node->n_outputs > MAX_OPERANDS)
        return ltap_error_set(error, LTAP_ERROR_INTERNAL, "too many operands for this program");
    for (size_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] != LTAP_NO_VALUE)
            inputs[i] = f->values[node->inputs[i]];
    ltap_call call = {.node = node,
                      .inputs = inputs,
                      .n_inputs = node->n_inputs,
                      .outputs = outputs,
                      .n_outputs = node->n_outputs,
                      .threads = 1};
    LTAP_TRY(ltap_op_shape(f->graph, &call, error));
    LTAP_TRY(check_blind_rule(f, &call, error));
    call.memory = f->memory;
    for (size_t i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] != LTAP_NO_VALUE)
            LTAP_TRY(ltap_arena_take(&f->arena, ltap_tensor_bytes(&outputs[i]) + 1, 1,
                                     &outputs[i].data, error));
    ltap_status status = node->op->reference(&call, error);
    for (size_t i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] != LTAP_NO_VALUE)
            f->values[node->outputs[i]] = outputs[i];
    return status;
}

static ltap_status run_graph(folder *f, ltap_error *error)
{
    for (size_t i = 0; i < f->graph->nodes.count; i++)
        LTAP_TRY(run_node(f, ltap_graph_node(f->graph, (uint32_t)i), error));
    return LTAP_OK;
}

static const char *name_of(const char *path)
{
    return strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
}

static double absolute_of(const char *name)
{
    for (size_t i = 0; i < sizeof(noisy) / sizeof(noisy[0]); i++)
        if (strcmp(noisy[i].name, name) == 0)
            return noisy[i].absolute;
    return 1e-7;
}

/* The suite's tolerance; half-width floats get one step of their own type. */
static bool is_close(ltap_dtype dtype, double absolute, double got, double want)
{
    double relative = dtype == LTAP_BFLOAT16 ? 0x1p-7 : dtype == LTAP_FLOAT16 ? 0x1p-9 : 1e-3;
    if (isnan(want) || isinf(want))
        return isnan(want) ? isnan(got) : got == want;
    return fabs(got - want) <= absolute + relative * fabs(want);
}

static ltap_status compare(const folder *f, const ltap_tensor *got, const ltap_tensor *want,
                           size_t index, ltap_error *error)
{
    const unsigned floats =
        1u << LTAP_FLOAT32 | 1u << LTAP_FLOAT64 | 1u << LTAP_FLOAT16 | 1u << LTAP_BFLOAT16;
    if (got->dtype != want->dtype || !ltap_tensor_same_shape(got, want))
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "output %zu is %s, expected %s", index,
                              ltap_tensor_text(got).text, ltap_tensor_text(want).text);
    bool exact = !(floats >> got->dtype & 1u);
    if (exact && memcmp(got->data, want->data, (size_t)ltap_tensor_bytes(want)) == 0)
        return LTAP_OK;
    for (uint64_t i = 0; i < ltap_tensor_count(want); i++) {
        double a = ltap_tensor_double(got, i), b = ltap_tensor_double(want, i);
        if (exact ? a != b : !is_close(got->dtype, f->absolute, a, b))
            return ltap_error_set(error, LTAP_ERROR_FORMAT,
                                  "output %zu, element %" PRIu64 " is %.9g, expected %.9g", index,
                                  i, a, b);
    }
    return LTAP_OK;
}

static ltap_status check_outputs(folder *f, const char *set, ltap_error *error)
{
    for (size_t i = 0; i < f->graph->outputs.count; i++) {
        uint32_t index = *LTAP_VECTOR_AT(&f->graph->outputs, uint32_t, i);
        bool found = false;
        ltap_tensor want;
        LTAP_TRY(read_tensor(f, set, "output", i, &want, &found, error));
        if (!found)
            return ltap_error_set(error, LTAP_ERROR_FILE, "output_%zu.pb is missing", i);
        mend_bfloat16(&want, ltap_graph_at(f->graph, index)->type.dtype);
        LTAP_TRY(compare(f, &f->values[index], &want, i, error));
    }
    return LTAP_OK;
}

static ltap_status run_sets(folder *f, ltap_error *error)
{
    LTAP_TRY(load(f, error));
    for (int set = 0;; set++) {
        char name[64], path[4096];
        struct ltap_file probe = {0};
        snprintf(name, sizeof(name), "test_data_set_%d", set);
        snprintf(path, sizeof(path), "%s/%s/output_0.pb", f->path, name);
        if (ltap_file_open(path, false, f->memory, &probe, error) != LTAP_OK)
            return set > 0 ? LTAP_OK : ltap_error_set(error, LTAP_ERROR_FILE, "no data set");
        ltap_file_close(&probe);
        LTAP_TRY(read_constants(f, error));
        LTAP_TRY(read_inputs(f, name, error));
        LTAP_TRY(run_graph(f, error));
        LTAP_TRY(check_outputs(f, name, error));
    }
}

static ltap_status run_folder(const char *path, ltap_error *error)
{
    folder f = {.path = path, .absolute = absolute_of(name_of(path))};
    ltap_status status = ltap_memory_new(NULL, 0, &f.memory, error);
    if (status != LTAP_OK)
        return status;
    ltap_arena_init(&f.arena, f.memory);
    ltap_arena_init(&f.scratch, f.memory);
    status = run_sets(&f, error);
    ltap_graph_free(f.graph);
    ltap_source_clear(&f.source);
    ltap_file_close(&f.file);
    ltap_arena_clear(&f.scratch);
    ltap_arena_clear(&f.arena);
    ltap_memory_unref(f.memory);
    return status;
}

/* Without the place in the file, which would make one reason many. */
static void count_reason(totals *t, const char *text)
{
    char shortened[160];
    int skipped = 0;
    if (sscanf(text, "byte %*u: %n", &skipped) == 0)
        text += skipped;
    snprintf(shortened, sizeof(shortened), "%.150s", text);
    for (int i = 0; i < t->n_reasons; i++)
        if (strcmp(t->reasons[i].text, shortened) == 0) {
            t->reasons[i].count++;
            return;
        }
    if (t->n_reasons == MAX_REASONS)
        return;
    memcpy(t->reasons[t->n_reasons].text, shortened, sizeof(shortened));
    t->reasons[t->n_reasons++].count = 1;
}

static int by_count(const void *a, const void *b)
{
    const reason *x = a, *y = b;
    return x->count != y->count ? y->count - x->count : strcmp(x->text, y->text);
}

static const char *decided_otherwise(const char *name)
{
    for (size_t i = 0; i < sizeof(otherwise) / sizeof(otherwise[0]); i++)
        if (strcmp(otherwise[i].name, name) == 0)
            return otherwise[i].why;
    return NULL;
}

static void run_and_count(const char *path, totals *t)
{
    ltap_error error = {0};
    ltap_status status = run_folder(path, &error);
    const char *name = name_of(path), *why = decided_otherwise(name);
    if (why && status != LTAP_OK && status != LTAP_ERROR_UNSUPPORTED) {
        t->otherwise++;
        printf("otherwise %s: %s\n", name, why);
    } else if (why) {
        t->failed++;
        printf("FAILED %s: it is listed as decided otherwise, and %s\n", name,
               ltap_status_name(status));
    } else if (status == LTAP_OK) {
        t->passed++;
    } else if (status == LTAP_ERROR_UNSUPPORTED) {
        t->unsupported++;
        count_reason(t, error.message);
        if (t->verbose)
            printf("unsupported %s: %s\n", name, error.message);
    } else {
        t->failed++;
        printf("FAILED %s: %s: %s\n", name, ltap_status_name(status), error.message);
    }
}

int main(int argc, char **argv)
{
    static totals t;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "-v") == 0)
            t.verbose = true;
        else
            run_and_count(argv[i], &t);
    qsort(t.reasons, (size_t)t.n_reasons, sizeof(t.reasons[0]), by_count);
    for (int i = 0; i < t.n_reasons; i++)
        printf("%5d unsupported: %s\n", t.reasons[i].count, t.reasons[i].text);
    printf("%d models: %d passed, %d failed, %d unsupported, %d decided otherwise\n",
           t.passed + t.failed + t.unsupported + t.otherwise, t.passed, t.failed, t.unsupported,
           t.otherwise);
    return t.failed > 0 || t.passed == 0;
}
