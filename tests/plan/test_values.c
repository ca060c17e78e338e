/* The tensors of a file, and which are computed from which; through the public headers. */
#include <layertap/layertap.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

enum { ROOM = 4 };

static const char *name_of(const ltap_model *model, size_t place)
{
    ltap_value_info info;
    if (place == LTAP_NO_VALUE_READ)
        return "-";
    ltap_model_values_at(model, place, &info);
    return info.name;
}

/* "a,b" for what the value of that name is computed from; "none" where there is no such value. */
static const char *reads_of(const ltap_model *model, const char *value, char text[256])
{
    size_t reads[ROOM];
    for (size_t i = 0; i < ltap_model_values_count(model); i++) {
        if (strcmp(name_of(model, i), value) != 0)
            continue;
        size_t n = ltap_model_values_reads(model, i, reads, ROOM), used = 0;
        text[0] = 0;
        for (size_t k = 0; k < n && k < ROOM; k++)
            used += (size_t)snprintf(text + used, 256 - used, k > 0 ? ",%s" : "%s",
                                     name_of(model, reads[k]));
        return text;
    }
    return "none";
}

static void values_know_what_they_are_computed_from(void **state)
{
    static const struct {
        const char *file, *value, *reads;
    } rows[] = {
        {"saved_calls", "z", "y2,p1"},
        {"saved_calls", "p1", "x0"},              /* an output that is an input */
        {"saved_calls", "two/first/t", "y1,w1"},  /* inside a function */
        {"saved_calls", "one/c", "yes,one/a,x0"}, /* an If, and what its branches take */
        {"saved_calls", "x", ""},                 /* an input */
        {"saved_calls", "w0", ""},                /* a weight */
        {"resize11", "y", "x,-,-,z"},             /* an omitted input */
        {"add6_axis", "y", "x,b"},                /* through what the border puts between */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char path[512], text[256];
        ltap_error error;
        ltap_model *model;
        snprintf(path, sizeof(path), "%s/%s.onnx", DATA_DIR, rows[i].file);
        if (ltap_model_open(path, NULL, &model, &error) != LTAP_OK)
            fail_msg("%s", error.message);
        const char *reads = reads_of(model, rows[i].value, text);
        if (strcmp(reads, rows[i].reads) != 0)
            fail_msg("%s: '%s' reads '%s', not '%s'", rows[i].file, rows[i].value, reads,
                     rows[i].reads);
        assert_int_equal(ltap_model_values_reads(model, SIZE_MAX, NULL, 0), 0);
        ltap_model_close(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_know_what_they_are_computed_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
