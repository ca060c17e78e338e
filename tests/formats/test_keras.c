/* Keras models: all ways to save one give the same network, and files made to do harm give one
 * line. What layers compute is compared in the session: keras.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "opened.h"

static void both_ways_to_save_hold_the_same_weights(void **state)
{
    (void)state;
    static const char *const names[] = {"/stem/kernel",
                                        "/stem_bn/moving_variance",
                                        "/inner.c.preactivation/kernel",
                                        "/inner.b/moving_mean",
                                        "/depthwise.preactivation/kernel",
                                        "/shared.preactivation/bias",
                                        "/lstm.forward/cell/kernel",
                                        "/lstm.backward/cell/bias"};
    static const char *const pairs[][2] = {{"keras3.keras", "keras3.h5"},
                                           {"keras2.keras", "keras2.h5"}};
    for (size_t p = 0; p < 2; p++) {
        opened first, other;
        open_model(&first, DATA_DIR, pairs[p][0]);
        open_model(&other, DATA_DIR, pairs[p][1]);
        assert_int_equal(first.graph->nodes.count, other.graph->nodes.count);
        for (size_t n = 0; n < sizeof names / sizeof *names; n++)
            assert_same_weight(&first, &other, names[n]);
        close_model(&other);
        close_model(&first);
    }
}

static void weights_lie_in_the_file(void **state)
{
    (void)state;
    opened model;
    open_model(&model, DATA_DIR, "keras3.keras");
    const uint8_t *data = weight(&model, "/stem/kernel")->data;
    assert_true(data >= model.file.data && data < model.file.data + model.file.size);
    close_model(&model);
}

/* A layer that is code stands for itself; nothing of it is run. */
static void what_is_code_is_a_node_without_an_operator(void **state)
{
    (void)state;
    opened model;
    size_t count = 0;
    open_model(&model, DATA_DIR, "lambda.keras");
    assert_int_equal(model.status, LTAP_OK);
    for (uint32_t i = 0; i < model.graph->nodes.count; i++) {
        const ltap_node *node = ltap_graph_node(model.graph, i);
        if (strcmp(node->domain, "keras") == 0) {
            assert_string_equal(node->op_type, "Lambda");
            count++;
        }
    }
    assert_int_equal(count, 1);
    close_model(&model);
}

static void attacks_give_one_line(void **state)
{
    (void)state;
    refuse_attacks(".keras", 20);
}

/* Of the configuration, of the HDF5 structure, of the archive. */
static void changed_bytes_never_hurt(void **state)
{
    (void)state;
    change_bytes("keras3.h5", 1500, 0x11);
    change_bytes("lambda.keras", 1500, 0x11);
    change_bytes("keras2.h5", 1500, 0x11);
}

static void too_little_memory_is_one_error(void **state)
{
    (void)state;
    for (uint64_t limit = 0; limit < 400000; limit += 9973) {
        opened model;
        open_limited(&model, DATA_DIR, "keras3.keras", limit + 1);
        assert_true(model.status == LTAP_OK || model.status == LTAP_ERROR_MEMORY);
        close_model(&model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways_to_save_hold_the_same_weights),
        cmocka_unit_test(weights_lie_in_the_file),
        cmocka_unit_test(what_is_code_is_a_node_without_an_operator),
        cmocka_unit_test(attacks_give_one_line),
        cmocka_unit_test(changed_bytes_never_hurt),
        cmocka_unit_test(too_little_memory_is_one_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
