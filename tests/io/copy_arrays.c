/* For scripts/check-io: reads arrays and writes them again, `copy_arrays IN OUT [FORMAT]`. Appends
 * in pieces of uneven length, the members by turns. Prints one line a member: name, type, shape.
 */
#include <layertap/arrays.h>
#include <layertap/writer.h>
#include <stdio.h>
#include <stdlib.h>

static ltap_status append_by_turns(ltap_writer *writer, const ltap_arrays *arrays,
                                   ltap_error *error)
{
    size_t n = ltap_arrays_count(arrays);
    for (uint64_t at = 0, more = 1; more; at += 1001) {
        more = 0;
        for (size_t i = 0; i < n; i++) {
            const ltap_tensor *tensor = &ltap_arrays_at(arrays, i)->tensor;
            uint64_t bytes = ltap_tensor_bytes(tensor);
            if (at >= bytes)
                continue;
            uint64_t piece = bytes - at < 1001 ? bytes - at : 1001;
            ltap_status status =
                ltap_writer_append(writer, i, (const char *)tensor->data + at, piece, error);
            if (status != LTAP_OK)
                return status;
            more = 1;
        }
    }
    return LTAP_OK;
}

static ltap_status copy(const ltap_arrays *arrays, char **arguments, ltap_error *error)
{
    size_t n = ltap_arrays_count(arrays);
    ltap_writer_options options = {.force = 1, .format = arguments[3]};
    ltap_writer_member *members = calloc(n + 1, sizeof *members);
    ltap_writer *writer = NULL;
    uint64_t bytes = 0, estimate = 0;
    for (size_t i = 0; members && i < n; i++) {
        const ltap_array *array = ltap_arrays_at(arrays, i);
        members[i] = (ltap_writer_member){array->name, array->tensor};
        fprintf(stderr, "%s %s %s\n", array->name, ltap_dtype_name(array->tensor.dtype),
                ltap_shape_text(&array->tensor).text);
    }
    ltap_status status = ltap_writer_open(arguments[2], members, n, &options, &writer, error);
    if (status == LTAP_OK)
        status = append_by_turns(writer, arrays, error);
    if (status == LTAP_OK)
        status = ltap_writer_commit(writer, &bytes, error);
    if (status == LTAP_OK)
        status = ltap_writer_estimate(arguments[2], members, n, &options, &estimate, error);
    ltap_writer_close(writer);
    free(members);
    if (status == LTAP_OK && bytes != estimate)
        fprintf(stderr, "wrote %llu bytes, estimated %llu\n", (unsigned long long)bytes,
                (unsigned long long)estimate);
    return status == LTAP_OK && bytes != estimate ? LTAP_ERROR_INTERNAL : status;
}

int main(int n_arguments, char **arguments)
{
    ltap_arrays *arrays = NULL;
    ltap_error error = {0};
    if (n_arguments < 3 || n_arguments > 4)
        return 2;
    ltap_status status = ltap_arrays_open(arguments[1], &arrays, &error);
    if (status == LTAP_OK)
        status = copy(arrays, arguments, &error);
    if (status != LTAP_OK)
        fprintf(stderr, "%s: %s\n", ltap_status_name(status), error.message);
    ltap_arrays_close(arrays);
    return status != LTAP_OK;
}
