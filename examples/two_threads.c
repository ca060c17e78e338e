/* One getter shared by two threads, each with a run of its own: the same numbers come out.
 * usage: two_threads MODEL LAYER */
#include <layertap/layertap.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { SIDE = 64 };

typedef struct job {
    ltap_getter *getter;
    ltap_features *features;
    ltap_error error;
} job;

static void *work(void *argument)
{
    static const float zeros[3 * SIDE * SIDE];
    job *j = argument;
    ltap_run *run = NULL;
    ltap_input input = {NULL, {LTAP_FLOAT32, 4, {1, 3, SIDE, SIDE}, (void *)zeros}};
    if (ltap_run_new(j->getter, &run, &j->error) != LTAP_OK ||
        ltap_run_forward(run, &input, 1, &j->features, &j->error) != LTAP_OK)
        fprintf(stderr, "%s\n", j->error.message);
    ltap_run_free(run); /* the features stay */
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return fprintf(stderr, "usage: two_threads MODEL LAYER\n"), 2;
    ltap_error error;
    ltap_model *model = NULL;
    job jobs[2] = {0};
    const ltap_return_layer wanted = {argv[2], "feature"};
    if (ltap_model_open(argv[1], NULL, &model, &error) != LTAP_OK ||
        ltap_getter_new(model, &wanted, 1, NULL, &jobs[0].getter, &error) != LTAP_OK)
        return fprintf(stderr, "%s\n", error.message), 1;
    jobs[1].getter = jobs[0].getter;
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, work, &jobs[i]);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    if (!jobs[0].features || !jobs[1].features)
        return 1;
    const ltap_tensor *a = &ltap_features_at(jobs[0].features, 0)->tensor;
    const ltap_tensor *b = &ltap_features_at(jobs[1].features, 0)->tensor;
    int same = memcmp(a->data, b->data, ltap_tensor_bytes(a)) == 0;
    printf("%s, twice the same: %s\n", ltap_shape_text(a).text, same ? "yes" : "no");
    ltap_features_free(jobs[0].features);
    ltap_features_free(jobs[1].features);
    ltap_getter_free(jobs[0].getter);
    ltap_model_close(model);
    return !same;
}
