/* How far two tensors are apart: special numbers by place, any types, sums over several pairs. */
#include <layertap/compare.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static ltap_difference compare(ltap_tensor a, ltap_tensor b)
{
    ltap_difference d = {0};
    assert_int_equal(ltap_tensor_compare(&a, &b, &d, NULL), LTAP_OK);
    return d;
}

static void special_numbers_are_matched_by_place(void **state)
{
    float a[] = {1, NAN, INFINITY, -3, NAN, INFINITY, 2, INFINITY};
    float b[] = {1.5f, NAN, INFINITY, -4, 1, -INFINITY, INFINITY, NAN};
    ltap_tensor ta = {LTAP_FLOAT32, 1, {8}, a}, tb = {LTAP_FLOAT32, 1, {8}, b};
    ltap_difference d = compare(ta, tb);
    assert_true(d.max_abs == 1 && d.worst == 3);
    assert_true(d.max_magnitude == 4);
    assert_int_equal(d.n_misplaced, 4);
    assert_true(d.n_nan[0] == 2 && d.n_nan[1] == 2 && d.n_inf[0] == 3 && d.n_inf[1] == 3);
    assert_false(ltap_difference_within(&d, 1));
    d = compare(ta, ta);
    assert_true(d.max_abs == 0 && d.n_misplaced == 0);
    assert_true(ltap_difference_within(&d, 0));
}

static void the_reference_is_the_second(void **state)
{
    float a[] = {1, 0}, b[] = {2, 0}, zero[] = {0, 0};
    ltap_tensor ta = {LTAP_FLOAT32, 1, {2}, a}, tb = {LTAP_FLOAT32, 1, {2}, b};
    ltap_tensor tz = {LTAP_FLOAT32, 1, {2}, zero};
    ltap_difference d = compare(ta, tb);
    assert_true(ltap_difference_relative(&d) == 0.5);
    assert_true(ltap_difference_cosine(&d) == 1);
    assert_true(ltap_difference_within(&d, 0.5) && !ltap_difference_within(&d, 0.4999));
    d = compare(tb, ta);
    assert_true(ltap_difference_relative(&d) == 1);
    d = compare(ta, tz);
    assert_true(isinf(ltap_difference_relative(&d)));
    assert_true(isnan(ltap_difference_cosine(&d)));
    assert_false(ltap_difference_within(&d, 1e9));
    d = compare(tz, tz);
    assert_true(ltap_difference_relative(&d) == 0 && ltap_difference_cosine(&d) == 1);
}

static void opposite_and_square_directions_are_told(void **state)
{
    double a[] = {3, 4}, opposite[] = {-6, -8}, square[] = {-4, 3};
    ltap_tensor ta = {LTAP_FLOAT64, 1, {2}, a};
    ltap_difference d = compare(ta, (ltap_tensor){LTAP_FLOAT64, 1, {2}, opposite});
    assert_true(ltap_difference_cosine(&d) == -1);
    d = compare(ta, (ltap_tensor){LTAP_FLOAT64, 1, {2}, square});
    assert_true(ltap_difference_cosine(&d) == 0);
}

static void types_may_differ(void **state)
{
    uint16_t half[] = {0x3c00, 0xc000}; /* 1, -2 */
    uint8_t bools[] = {1, 0};
    float a[] = {1, -2}, b[] = {1, 0};
    int64_t integers[] = {1, -2};
    ltap_tensor ta = {LTAP_FLOAT32, 1, {2}, a}, tb = {LTAP_FLOAT32, 1, {2}, b};
    ltap_difference d = compare((ltap_tensor){LTAP_FLOAT16, 1, {2}, half}, ta);
    assert_true(d.max_abs == 0 && d.max_magnitude == 2);
    d = compare((ltap_tensor){LTAP_INT64, 1, {2}, integers}, ta);
    assert_true(d.max_abs == 0);
    d = compare((ltap_tensor){LTAP_BOOL, 1, {2}, bools}, tb);
    assert_true(d.max_abs == 0);
}

static void large_integers_differ_by_one(void **state)
{
    int64_t a[] = {INT64_C(9007199254740993), -7}, b[] = {INT64_C(9007199254740992), -7};
    ltap_tensor ta = {LTAP_INT64, 1, {2}, a}, tb = {LTAP_INT64, 1, {2}, b};
    ltap_difference d = compare(ta, tb), back = compare(tb, ta);
    assert_true(d.max_abs == 1 && back.max_abs == 1);
    uint64_t high[] = {UINT64_MAX}, low[] = {UINT64_MAX - 4};
    d = compare((ltap_tensor){LTAP_UINT64, 1, {1}, high}, (ltap_tensor){LTAP_UINT64, 1, {1}, low});
    assert_true(d.max_abs == 4);
}

static void pairs_add_up(void **state)
{
    static float a[1000], b[1000];
    for (int i = 0; i < 1000; i++)
        a[i] = b[i] = (float)(i % 7);
    ltap_tensor ta = {LTAP_FLOAT32, 2, {10, 100}, a}, tb = {LTAP_FLOAT32, 2, {10, 100}, b};
    ltap_difference d = {0};
    assert_int_equal(ltap_tensor_compare(&ta, &tb, &d, NULL), LTAP_OK);
    a[700] += 5;
    b[3] = NAN;
    assert_int_equal(ltap_tensor_compare(&ta, &tb, &d, NULL), LTAP_OK);
    assert_int_equal(d.count, 2000);
    assert_true(d.max_abs == 5 && d.worst == 1700 && d.max_magnitude == 6);
    assert_true(d.n_misplaced == 1 && d.n_nan[0] == 0 && d.n_nan[1] == 1);
}

static void nothing_and_scalars_compare(void **state)
{
    float x[] = {2}, y[] = {3};
    ltap_difference d = compare((ltap_tensor){LTAP_FLOAT32, 2, {0, 4}, NULL},
                                (ltap_tensor){LTAP_FLOAT32, 2, {0, 4}, NULL});
    assert_true(d.count == 0 && ltap_difference_within(&d, 0));
    d = compare((ltap_tensor){LTAP_FLOAT32, 0, {0}, x}, (ltap_tensor){LTAP_FLOAT32, 0, {0}, y});
    assert_true(d.count == 1 && d.max_abs == 1);
}

static void what_cannot_be_compared_is_refused(void **state)
{
    float x[6] = {0};
    const struct {
        ltap_tensor a, b;
        ltap_status status;
        const char *message;
    } cases[] = {
        {{LTAP_FLOAT32, 2, {2, 3}, x},
         {LTAP_FLOAT32, 2, {3, 2}, x},
         LTAP_ERROR_INPUT,
         "the shapes differ: 2x3 and 3x2"},
        {{LTAP_FLOAT32, 1, {3}, x},
         {LTAP_FLOAT32, 2, {1, 3}, x},
         LTAP_ERROR_INPUT,
         "the shapes differ: 3 and 1x3"},
        {{LTAP_FLOAT32, 1, {2}, x},
         {LTAP_COMPLEX64, 1, {2}, x},
         LTAP_ERROR_UNSUPPORTED,
         "a tensor of type complex64 cannot be compared number by number"},
        {{LTAP_FLOAT32, 1, {2}, NULL},
         {LTAP_FLOAT32, 1, {2}, x},
         LTAP_ERROR_ARGUMENT,
         "the tensor has no data"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ltap_difference d = {.count = 7};
        ltap_error error;
        assert_int_equal(ltap_tensor_compare(&cases[i].a, &cases[i].b, &d, &error),
                         cases[i].status);
        assert_string_equal(error.message, cases[i].message);
        assert_int_equal(d.count, 7);
    }
    ltap_difference d = {0};
    assert_int_equal(ltap_tensor_compare(NULL, &cases[0].a, &d, NULL), LTAP_ERROR_ARGUMENT);
    assert_int_equal(ltap_tensor_compare(&cases[0].a, &cases[0].a, NULL, NULL),
                     LTAP_ERROR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(special_numbers_are_matched_by_place),
        cmocka_unit_test(the_reference_is_the_second),
        cmocka_unit_test(opposite_and_square_directions_are_told),
        cmocka_unit_test(types_may_differ),
        cmocka_unit_test(large_integers_differ_by_one),
        cmocka_unit_test(pairs_add_up),
        cmocka_unit_test(nothing_and_scalars_compare),
        cmocka_unit_test(what_cannot_be_compared_is_refused),
    };
    return cmocka_run_group_tests_name("tensor/compare", tests, NULL, NULL);
}
