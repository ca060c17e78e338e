/* Channels that are 0 wherever they are looked at, in any of several random pictures: a report of
 * all layers of a kind, in the memory of one forward. usage: dead_channels MODEL PATTERN PROBES */
#include <layertap/layertap.h>
#include <stdio.h>
#include <stdlib.h>

enum { SIDE = 64, MAX_LAYERS = 256 };

static ltap_summary *summaries[MAX_LAYERS];

static ltap_status add(void *user, size_t index, const ltap_feature *feature, ltap_error *error)
{
    (void)user;
    if (index >= MAX_LAYERS)
        return LTAP_OK;
    ltap_status status =
        summaries[index] ? LTAP_OK : ltap_summary_new(NULL, &summaries[index], error);
    return status == LTAP_OK ? ltap_summary_add(summaries[index], &feature->tensor, error) : status;
}

int main(int argc, char **argv)
{
    static float pixels[3 * SIDE * SIDE];
    ltap_error error = {LTAP_OK, 0, "usage: dead_channels MODEL PATTERN PROBES"};
    const ltap_return_layer wanted = {argc == 4 ? argv[2] : "", NULL};
    const ltap_input input = {NULL, {LTAP_FLOAT32, 4, {1, 3, SIDE, SIDE}, pixels}};
    const ltap_sink sink = {.take = add};
    ltap_random random = {.state = 1};
    ltap_model *model = NULL;
    ltap_getter *getter = NULL;
    ltap_run *run = NULL;
    int failed = argc != 4 || ltap_model_open(argv[1], NULL, &model, &error) != LTAP_OK ||
                 ltap_getter_new(model, &wanted, 1, NULL, &getter, &error) != LTAP_OK ||
                 ltap_run_new(getter, &run, &error) != LTAP_OK;
    for (int probe = 0; !failed && probe < atoi(argv[3]); probe++) {
        for (int i = 0; i < 3 * SIDE * SIDE; i++)
            pixels[i] = (float)ltap_random_normal(&random);
        failed = ltap_run_stream(run, &input, 1, &sink, &error) != LTAP_OK;
    }
    if (failed)
        fprintf(stderr, "%s\n", error.message);
    size_t n = failed ? 0 : ltap_getter_layers_count(getter);
    for (size_t i = 0; i < n && i < MAX_LAYERS && summaries[i]; i++) {
        ltap_facts facts;
        ltap_summary_get(summaries[i], &facts);
        printf("%s: %llu of %llu dead\n", ltap_getter_layers_at(getter, i)->layer,
               (unsigned long long)facts.n_dead, (unsigned long long)facts.n_channels);
        ltap_summary_free(summaries[i]);
    }
    ltap_run_free(run);
    ltap_getter_free(getter);
    ltap_model_close(model);
    return failed;
}
