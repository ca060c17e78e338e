/* The architecture that a checkpoint is nearest to: each row is built on trial, counting what it
 * asks for and finds, what it misses, and what it leaves.
 */
#include "formats/torch/architecture.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

const ltap_torch_tensor *ltap_torch_unused(const ltap_torch_checkpoint *c, size_t *count)
{
    const ltap_torch_tensor *first = NULL;
    *count = 0;
    for (size_t i = 0; i < c->tensors.count; i++) {
        const ltap_torch_tensor *tensor = LTAP_VECTOR_AT(&c->tensors, ltap_torch_tensor, i);
        if (tensor->used || ltap_text_ends(tensor->name, "num_batches_tracked"))
            continue;
        first = first ? first : tensor;
        *count += 1;
    }
    return first;
}

typedef struct trial {
    ltap_survey survey;
    const ltap_torch_tensor *left;
    size_t n_left;
    char name[64]; /* as the architecture calls what it found */
} trial;

void ltap_torch_name(const char *summary, const char *family, char name[64])
{
    size_t bytes = strcspn(summary, " ");
    if (bytes < 3)
        snprintf(name, 64, "%s", family);
    else
        snprintf(name, 64, "%.*s", (int)(bytes < 63 ? bytes : 63), summary);
}

/* arch: its row is tried, as the user calls it or, without a text, as it is. */
static ltap_status try_row(ltap_torch_checkpoint *c, const ltap_arch *arch, trial *t,
                           ltap_error *error)
{
    const ltap_architecture *row = arch->row;
    ltap_graph *scratch;
    LTAP_TRY(ltap_graph_new(c->source->memory, &scratch, error));
    *t = (trial){{0}, NULL, 0, ""};
    for (size_t i = 0; i < c->tensors.count; i++)
        LTAP_VECTOR_AT(&c->tensors, ltap_torch_tensor, i)->used = false;
    ltap_builder b = {.checkpoint = c,
                      .arch = arch->text ? arch : NULL,
                      .graph = scratch,
                      .survey = &t->survey,
                      .error = error};
    ltap_builder_init(&b);
    row->build(&b);
    ltap_torch_name(b.summary, row->name, t->name);
    ltap_status status = b.status;
    ltap_builder_clear(&b);
    ltap_graph_free(scratch);
    t->left = ltap_torch_unused(c, &t->n_left);
    return status;
}

/* Shared tensors in parts of all that one or the other has: a of t, b of u. */
static bool is_nearer(const trial *t, const trial *u)
{
    uint64_t t_all = t->survey.n_found + t->survey.n_missing + t->n_left;
    uint64_t u_all = u->survey.n_found + u->survey.n_missing + u->n_left;
    return t->survey.n_found * u_all > u->survey.n_found * t_all;
}

static ltap_status tell(ltap_torch_checkpoint *c, const trial *t, const char **differs,
                        ltap_error *error)
{
    char missing[192] = "", left[192] = "";
    const ltap_survey *s = &t->survey;
    if (s->n_missing > 1)
        snprintf(missing, sizeof missing, "'%s' and %zu more are not in the file", s->missing,
                 s->n_missing - 1);
    else if (s->n_missing == 1)
        snprintf(missing, sizeof missing, "'%s' is not in the file", s->missing);
    else
        snprintf(missing, sizeof missing, "%.190s", s->refusal);
    if (t->n_left > 1)
        snprintf(left, sizeof left, "'%.100s' and %zu more are none of its tensors", t->left->name,
                 t->n_left - 1);
    else if (t->n_left == 1)
        snprintf(left, sizeof left, "'%.100s' is none of its tensors", t->left->name);
    return ltap_arena_format(c->arena, differs, error, "%zu tensors in common; %s%s%s", s->n_found,
                             missing, missing[0] && left[0] ? "; " : "", left);
}

ltap_status ltap_torch_nearest(ltap_torch_checkpoint *c, ltap_nearest *nearest, ltap_error *error)
{
    trial best = {{0}, NULL, 1, ""};
    ltap_arch arch = {.text = NULL};
    *nearest = (ltap_nearest){NULL, ""};
    for (size_t i = 0; (arch.row = ltap_torch_row(i)) != NULL; i++) {
        trial t;
        LTAP_TRY(try_row(c, &arch, &t, error));
        if (is_nearer(&t, &best))
            best = t;
    }
    uint64_t all = best.survey.n_found + best.survey.n_missing + best.n_left;
    enum { LEAST = 4 }; /* a quarter in common */
    if (best.survey.n_found * LEAST < all || best.survey.n_found == 0)
        return LTAP_OK;
    LTAP_TRY(ltap_arena_text(c->arena, best.name, strlen(best.name), &nearest->name, error));
    return tell(c, &best, &nearest->differs, error);
}

ltap_status ltap_torch_differs(ltap_torch_checkpoint *c, const ltap_arch *arch,
                               const char **differs, ltap_error *error)
{
    trial t;
    LTAP_TRY(try_row(c, arch, &t, error));
    return tell(c, &t, differs, error);
}
