#include "backends/packs.h"
#include "base/error.h"
#include "support/fail_alloc.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static ltap_status fill_with(void *context, void *packed, ltap_error *error)
{
    int *calls = context;
    (*calls)++;
    memset(packed, 7, 100);
    return LTAP_OK;
}

static ltap_status refuse(void *context, void *packed, ltap_error *error)
{
    return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED, "no");
}

static void a_weight_is_packed_once_for_each_source_and_key(void **state)
{
    static const struct {
        int source;
        const char *key;
        int calls; /* so far */
    } rows[] = {{0, "a", 1}, {0, "a", 1}, {1, "a", 2}, {0, "b", 3}, {1, "a", 3}, {0, "", 4}};
    static const char sources[2];
    ltap_memory *memory;
    ltap_packs *packs;
    const void *first = NULL, *packed;
    int calls = 0;
    assert_int_equal(ltap_memory_new(NULL, 0, &memory, NULL), LTAP_OK);
    assert_int_equal(ltap_packs_new(memory, &packs, NULL), LTAP_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(ltap_packs_get(packs, &sources[rows[i].source], rows[i].key, 100,
                                        fill_with, &calls, &packed, NULL),
                         LTAP_OK);
        assert_int_equal(calls, rows[i].calls);
        assert_int_equal(((const char *)packed)[99], 7);
        assert_int_equal((uintptr_t)packed % LTAP_ALIGNMENT, 0);
        first = i == 0 ? packed : first;
    }
    assert_int_equal(ltap_packs_get(packs, &sources[0], "a", 100, fill_with, &calls, &packed, NULL),
                     LTAP_OK);
    assert_ptr_equal(packed, first); /* it has not moved */
    assert_int_equal(ltap_packs_bytes(packs), 400);
    ltap_packs_free(packs);
    assert_int_equal(ltap_memory_used(memory), 0);
    ltap_memory_unref(memory);
}

static void a_weight_that_could_not_be_packed_is_not_kept(void **state)
{
    static const char source;
    ltap_memory *memory;
    ltap_packs *packs;
    const void *packed;
    int calls = 0;
    assert_int_equal(ltap_memory_new(NULL, 0, &memory, NULL), LTAP_OK);
    assert_int_equal(ltap_packs_new(memory, &packs, NULL), LTAP_OK);
    assert_int_equal(ltap_packs_get(packs, &source, "a", 100, refuse, NULL, &packed, NULL),
                     LTAP_ERROR_UNSUPPORTED);
    assert_int_equal(ltap_packs_bytes(packs), 0);
    assert_int_equal(ltap_packs_get(packs, &source, "a", 100, fill_with, &calls, &packed, NULL),
                     LTAP_OK);
    assert_int_equal(calls, 1);
    ltap_packs_free(packs);
    ltap_packs_free(NULL);
    ltap_memory_unref(memory);
}

static void any_failing_allocation_leaves_the_packs_usable(void **state)
{
    static const char source;
    bool failed = true;
    for (size_t n = 2; failed; n++) {
        fail_alloc heap;
        ltap_memory *memory;
        ltap_packs *packs;
        const void *packed;
        int calls = 0;
        fail_alloc_init(&heap, n);
        assert_int_equal(ltap_memory_new(&heap.allocator, 0, &memory, NULL), LTAP_OK);
        if (ltap_packs_new(memory, &packs, NULL) == LTAP_OK) {
            ltap_status status =
                ltap_packs_get(packs, &source, "a", 100, fill_with, &calls, &packed, NULL);
            assert_int_equal(status, fail_alloc_failed(&heap) ? LTAP_ERROR_MEMORY : LTAP_OK);
            assert_int_equal(
                ltap_packs_get(packs, &source, "a", 100, fill_with, &calls, &packed, NULL),
                LTAP_OK);
            assert_int_equal(((const char *)packed)[0], 7);
            ltap_packs_free(packs);
        }
        failed = fail_alloc_failed(&heap);
        ltap_memory_unref(memory);
        fail_alloc_check(&heap);
    }
}

typedef struct shared {
    ltap_packs *packs;
    int calls;
} shared;

static void *ask(void *argument)
{
    shared *all = argument;
    for (uintptr_t i = 0; i < 200; i++) {
        const void *packed;
        if (ltap_packs_get(all->packs, (void *)(i % 10 + 1), "k", 100, fill_with, &all->calls,
                           &packed, NULL) != LTAP_OK)
            abort();
    }
    return NULL;
}

static void threads_pack_each_weight_once(void **state)
{
    ltap_memory *memory;
    shared all = {0};
    pthread_t threads[4];
    assert_int_equal(ltap_memory_new(NULL, 0, &memory, NULL), LTAP_OK);
    assert_int_equal(ltap_packs_new(memory, &all.packs, NULL), LTAP_OK);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &all), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(all.calls, 10);
    ltap_packs_free(all.packs);
    ltap_memory_unref(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_weight_is_packed_once_for_each_source_and_key),
        cmocka_unit_test(a_weight_that_could_not_be_packed_is_not_kept),
        cmocka_unit_test(any_failing_allocation_leaves_the_packs_usable),
        cmocka_unit_test(threads_pack_each_weight_once),
    };
    return cmocka_run_group_tests_name("backends/packs", tests, NULL, NULL);
}
