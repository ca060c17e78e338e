/* Constants that are computed from weights of the file. */
#include "plan/propagate.h"
#include "support/build.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdint.h>

enum { ROWS = 64, COLUMNS = 512 };

/* w - mean(w), where w does not lie aligned in the file: it is copied before it is read. Both the
 * mean and the difference read it, in either order of the difference's inputs. */
static float centred(const char *left, const char *right, size_t at)
{
    static uint8_t file[1 + ROWS * COLUMNS * sizeof(float)];
    const int64_t dims[] = {ROWS, COLUMNS};
    const ltap_tensor w = ltap_tensor_make(LTAP_FLOAT32, 2, dims, file + 1);
    ltap_memory *memory;
    ltap_graph *graph;
    ltap_propagation propagation;
    for (size_t i = 0; i < (size_t)ROWS * COLUMNS; i++) {
        float number = (float)(i % 7);
        memcpy(file + 1 + i * sizeof number, &number, sizeof number);
    }
    assert_int_equal(ltap_memory_new(NULL, 0, &memory, NULL), LTAP_OK);
    assert_int_equal(ltap_graph_new(memory, &graph, NULL), LTAP_OK);
    uint32_t value = build_value(graph, "w"), difference = build_value(graph, "difference");
    assert_int_equal(ltap_graph_set_constant(graph, value, &w, NULL), LTAP_OK);
    build_node(graph, "ReduceMean", BUILD_NAMES("w"), BUILD_NAMES("mean"), NULL, 0);
    build_node(graph, "Sub", BUILD_NAMES(left, right), BUILD_NAMES("difference"), NULL, 0);
    ltap_ops_bind(graph);
    assert_int_equal(ltap_graph_link(graph, NULL), LTAP_OK);
    assert_int_equal(ltap_propagation_init(&propagation, graph, memory, NULL), LTAP_OK);
    assert_int_equal(ltap_propagation_run(&propagation, NULL, NULL), LTAP_OK);
    assert_int_equal(ltap_propagation_compute(&propagation, difference, NULL), LTAP_OK);
    float found = ((const float *)propagation.values[difference].tensor.data)[at];
    ltap_propagation_clear(&propagation);
    ltap_graph_free(graph);
    assert_int_equal(ltap_memory_used(memory), 0);
    ltap_memory_unref(memory);
    return found;
}

static void a_weight_stays_until_all_who_read_it_have(void **state)
{
    const double sum = 4681 * 21.0; /* 32768 = 4681 * 7 + 1, and the last is a 0 */
    const double mean = sum / (ROWS * COLUMNS);
    assert_float_equal(centred("w", "mean", 6), 6 - mean, 1e-5);
    assert_float_equal(centred("mean", "w", 6), mean - 6, 1e-5);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_weight_stays_until_all_who_read_it_have)};
    return cmocka_run_group_tests_name("constants computed from weights", tests, NULL, NULL);
}
