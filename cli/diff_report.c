/* What a comparison tells: the answer in a line, a table of the layers compared, and the layers
 * that have no partner; or everything as one JSON document. */
#include "cli/diff.h"
#include "cli/json.h"
#include "cli/table.h"
#include "cli/text.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_SHOWN = 6 };

static const cli_pair *pair_at(const cli_diff *diff, size_t index)
{
    return &diff->match.pairs[diff->order[index]];
}

static int counts(const cli_pair *pair)
{
    return pair->differs && !pair->inside && !pair->before;
}

/* The first that differs, in the order of execution; NULL. */
static const cli_pair *find_first(const cli_diff *diff, size_t *n_different)
{
    const cli_pair *first = NULL;
    *n_different = 0;
    for (size_t i = 0; i < diff->n_order; i++) {
        if (!counts(pair_at(diff, i)))
            continue;
        first = first ? first : pair_at(diff, i);
        ++*n_different;
    }
    return first;
}

static const char *verdict(const cli_pair *pair)
{
    return pair->cannot                   ? "-"
           : pair->inside || pair->before ? "inside"
           : pair->differs                ? "differs"
                                          : "same";
}

/* "" names the one array of a .npy file. */
static const char *shown_name(const cli_diff *diff, const cli_pair *pair, int side)
{
    const char *name = cli_diff_layer(diff, pair, side)->name;
    return name[0] ? name : diff->sides[side].label;
}

/* --- why it differs -------------------------------------------------------------------------- */

static void describe(const cli_pair *pair, char *text, size_t size)
{
    const ltap_difference *d = &pair->difference;
    const ltap_tensor *a = &pair->tensors[0], *b = &pair->tensors[1];
    if (pair->other_shapes)
        cli_text_add(text, size, "the shapes are %s and %s", ltap_shape_text(a).text,
                     ltap_shape_text(b).text);
    else if (d->n_misplaced > 0)
        cli_text_add(text, size, "NaN or Inf in one only, at %llu place%s",
                     (unsigned long long)d->n_misplaced, d->n_misplaced == 1 ? "" : "s");
    else
        cli_text_add(text, size, "off by %s of its largest magnitude in B",
                     cli_text_number(ltap_difference_relative(d)).text);
}

/* " (float16: 0.0009766)" */
static ltap_text coarse_types(const cli_diff *diff)
{
    ltap_text text = {""};
    double told = diff->tolerance;
    for (size_t i = 0; i < diff->n_order; i++) {
        const cli_pair *pair = pair_at(diff, i);
        double tolerance = cli_diff_tolerance(diff, pair);
        int coarse =
            ltap_dtype_bits(pair->tensors[1].dtype) < ltap_dtype_bits(pair->tensors[0].dtype);
        if (tolerance <= told)
            continue;
        snprintf(text.text, sizeof(text.text), " (%s: %.32s)",
                 ltap_dtype_name(pair->tensors[coarse].dtype), cli_text_number(tolerance).text);
        told = tolerance;
    }
    return text;
}

static size_t count_compared(const cli_diff *diff)
{
    size_t n = 0;
    for (size_t i = 0; i < diff->n_order; i++)
        n += !pair_at(diff, i)->cannot;
    return n;
}

static void print_answer(const cli_diff *diff)
{
    size_t n = 0, compared = count_compared(diff), rest = diff->n_order - compared;
    char why[512] = "";
    const char *a = diff->sides[0].label, *b = diff->sides[1].label;
    const char *plural = compared == 1 ? "" : "s";
    const cli_pair *first = find_first(diff, &n);
    if (!first)
        cli_report_print("%s and %s agree: %zu layer%s within %g of the largest magnitude in B%s\n",
                         a, b, compared, plural, diff->tolerance, coarse_types(diff).text);
    else {
        describe(first, why, sizeof(why));
        cli_report_print("%s and %s differ, first in '%s': %s\n", a, b, shown_name(diff, first, 0),
                         why);
        cli_report_print(
            "%zu of %zu layer%s differ%s; %g of the largest magnitude in B is allowed%s\n", n,
            compared, plural, n == 1 ? "s" : "", diff->tolerance, coarse_types(diff).text);
    }
    if (rest > 0)
        cli_report_print("%zu more cannot be compared\n", rest);
}

/* --- table ----------------------------------------------------------------------------------- */

static ltap_text two_counts(const uint64_t counts_of[2])
{
    ltap_text text = {"-"};
    if (counts_of[0] > 0 || counts_of[1] > 0)
        snprintf(text.text, sizeof(text.text), "%llu/%llu", (unsigned long long)counts_of[0],
                 (unsigned long long)counts_of[1]);
    return text;
}

static int is_also(const cli_pair *pair, const cli_layer *layer, size_t index)
{
    return layer->value == pair->value[0] && layer->is_path && index != pair->layer[0];
}

/* "float32, float16", "also layer1.1, layer1", "its module agrees" */
static void remark(const cli_diff *diff, const cli_pair *pair, char *text, size_t size)
{
    const cli_side *a = &diff->sides[0];
    if (pair->cannot)
        cli_text_add(text, size, "%s cannot be compared; ",
                     ltap_dtype_name(pair->tensors[0].dtype));
    else if (pair->tensors[0].dtype != pair->tensors[1].dtype)
        cli_text_add(text, size, "%s, %s; ", ltap_dtype_name(pair->tensors[0].dtype),
                     ltap_dtype_name(pair->tensors[1].dtype));
    if (pair->inside)
        cli_text_add(text, size, "the module around it agrees; ");
    else if (pair->before)
        cli_text_add(text, size, "what is computed from it agrees; ");
    if (pair->difference.n_misplaced > 0)
        cli_text_add(text, size, "NaN or Inf elsewhere; ");
    size_t n = 0;
    for (size_t i = a->n_listed; i-- > 0 && diff->request.n_layers == 0;) {
        if (is_also(pair, &a->layers[i], i))
            cli_text_add(text, size, n++ == 0 ? "also %s" : ", %s", a->layers[i].name);
    }
    size_t length = strlen(text);
    if (length > 2 && strcmp(text + length - 2, "; ") == 0)
        text[length - 2] = 0;
}

static ltap_status add_row(const cli_diff *diff, const cli_pair *pair, cli_table *table,
                           ltap_error *error)
{
    const ltap_difference *d = &pair->difference;
    int known = !pair->cannot && d->count > 0;
    char shape[600] = "", note[1024] = "";
    cli_text_add(shape, sizeof(shape), "%s", ltap_shape_text(&pair->tensors[0]).text);
    if (pair->other_shapes)
        cli_text_add(shape, sizeof(shape), "/%s", ltap_shape_text(&pair->tensors[1]).text);
    remark(diff, pair, note, sizeof(note));
    const char *names[] = {shown_name(diff, pair, 0), shown_name(diff, pair, 1)};
    ltap_text apart = cli_text_number(known ? d->max_abs : NAN),
              relative = cli_text_number(known ? ltap_difference_relative(d) : NAN),
              nan = two_counts(d->n_nan), inf = two_counts(d->n_inf), cosine = {"-"};
    if (known && !isnan(ltap_difference_cosine(d)))
        snprintf(cosine.text, sizeof(cosine.text), "%.6f", ltap_difference_cosine(d));
    const char *cells[] = {names[0],
                           strcmp(names[0], names[1]) == 0 ? "=" : names[1],
                           cli_reason_name(pair->reason),
                           shape,
                           apart.text,
                           relative.text,
                           cosine.text,
                           nan.text,
                           inf.text,
                           verdict(pair),
                           note};
    return cli_table_add(table, cells, error);
}

static ltap_status print_pairs(const cli_diff *diff, ltap_error *error)
{
    static const char *const header[] = {"layer",   "in B",    "matched", "shape",
                                         "max abs", "max rel", "cosine",  "NaN",
                                         "Inf",     "verdict", "note"};
    int only = cli_arguments_has(diff->arguments, "differing");
    cli_table *table = cli_table_new("llllrrrrrll", header);
    ltap_status status = table ? LTAP_OK : cli_error_memory(error);
    size_t n = 0;
    for (size_t i = 0; status == LTAP_OK && i < diff->n_order; i++) {
        if (only && !pair_at(diff, i)->differs)
            continue;
        status = add_row(diff, pair_at(diff, i), table, error);
        n++;
    }
    if (status == LTAP_OK && n > 0) {
        putchar('\n');
        cli_table_print(table, stdout);
    }
    cli_table_free(table);
    return status;
}

/* --- what has no partner --------------------------------------------------------------------- */

/* Reasons, each told in a line of its own. */
typedef enum lack { LACK_NAME, LACK_FOLDED, LACK_INSIDE, LACK_REFUSED, N_LACKS } lack;

static const char *const lack_words[] = {[LACK_NAME] = "",
                                         [LACK_FOLDED] = ", folded away in ",
                                         [LACK_INSIDE] = ", within matched layers",
                                         [LACK_REFUSED] = ", which layertap cannot compute"};
static const char *const lack_names[] = {[LACK_NAME] = "none",
                                         [LACK_FOLDED] = "folded",
                                         [LACK_INSIDE] = "inside",
                                         [LACK_REFUSED] = "unsupported"};

static int is_inside(const cli_side *side, const cli_layer *layer)
{
    size_t above = layer->parent;
    for (; above != CLI_NOWHERE; above = side->layers[above].parent) {
        size_t value = side->layers[above].value;
        if (value != CLI_NOWHERE && side->values[value].pair != CLI_NOWHERE)
            return 1;
    }
    return 0;
}

/* An array of the inputs, kept beside the features. */
static int is_input(const cli_diff *diff, int which, const cli_layer *layer)
{
    const ltap_model *model = diff->sides[!which].model.model;
    for (size_t i = 0; model && i < ltap_model_inputs_count(model); i++) {
        if (strcmp(ltap_model_inputs_at(model, i)->name, layer->name) == 0)
            return 1;
    }
    return 0;
}

/* 1 where the layer lacks a partner, and is the name to tell of its value. */
static int lacks(const cli_diff *diff, int which, size_t index, lack *why)
{
    const cli_side *side = &diff->sides[which];
    const cli_layer *layer = &side->layers[index];
    *why = LACK_REFUSED;
    if (layer->refused != LTAP_OK)
        return 1;
    if (layer->value == CLI_NOWHERE || side->values[layer->value].pair != CLI_NOWHERE ||
        side->values[layer->value].layer != index || is_input(diff, which, layer))
        return 0;
    *why = layer->missing == LTAP_ERROR_FOLDED_LAYER   ? LACK_FOLDED
           : !layer->is_path && is_inside(side, layer) ? LACK_INSIDE
                                                       : LACK_NAME;
    return 1;
}

static void print_lacking(const cli_diff *diff, int which, int *begun)
{
    const cli_side *side = &diff->sides[which];
    size_t shown = diff->talk.verbose ? side->n_listed : NAMES_SHOWN;
    for (lack reason = 0; reason < N_LACKS; reason++) {
        size_t n = 0;
        for (size_t i = 0; i < side->n_listed; i++) {
            lack why;
            if (!lacks(diff, which, i, &why) || why != reason)
                continue;
            if (n == 0 && !(*begun)++)
                putchar('\n');
            if (n == 0)
                cli_report_print("only in %s%s%s: ", which == 0 ? "A" : "B", lack_words[reason],
                                 reason != LACK_FOLDED ? ""
                                 : which == 0          ? "B"
                                                       : "A");
            if (n < shown)
                cli_report_print("%s%s", n > 0 ? ", " : "", side->layers[i].name);
            n++;
        }
        if (n > shown)
            cli_report_print(" and %zu more (-v)", n - shown);
        if (n > 0)
            putchar('\n');
    }
}

static void print_rest(const cli_diff *diff)
{
    static const char *const letters[] = {"A", "B"};
    for (int side = 0; side < 2; side++) {
        if (diff->match.prefix_bytes[side] > 0)
            cli_report_note(&diff->talk, "names of %s are matched without '%.*s'", letters[side],
                            (int)diff->match.prefix_bytes[side], diff->match.prefix[side]);
    }
    if (diff->n_groups > 1)
        cli_report_note(&diff->talk,
                        "ran in %zu passes, so that no more than %s of features of each network "
                        "are held at once",
                        diff->n_groups, cli_text_bytes(diff->memory).text);
}

/* --- document -------------------------------------------------------------------------------- */

static json_t *side_document(const cli_side *side)
{
    if (!side->arrays)
        return cli_json_model(side->model.model);
    return json_pack("{s:o, s:I}", "file", cli_json_text(side->label), "arrays",
                     (json_int_t)side->n_listed);
}

static json_t *pair_document(const cli_diff *diff, const cli_pair *pair)
{
    const ltap_difference *d = &pair->difference;
    const cli_side *a = &diff->sides[0];
    json_t *also = json_array();
    int known = !pair->cannot && d->count > 0;
    for (size_t i = 0; i < a->n_listed && diff->request.n_layers == 0; i++) {
        if (is_also(pair, &a->layers[i], i))
            json_array_append_new(also, cli_json_text(a->layers[i].name));
    }
    return json_pack(
        "{s:o, s:o, s:s, s:o, s:[ss], s:[oo], s:o, s:o, s:o, s:[II], s:[II], s:I, s:f, s:s}", "a",
        cli_json_text(cli_diff_layer(diff, pair, 0)->name), "b",
        cli_json_text(cli_diff_layer(diff, pair, 1)->name), "matched",
        cli_reason_name(pair->reason), "also", also, "dtypes",
        ltap_dtype_name(pair->tensors[0].dtype), ltap_dtype_name(pair->tensors[1].dtype), "shapes",
        cli_json_shape(&pair->tensors[0]), cli_json_shape(&pair->tensors[1]), "max_abs",
        cli_json_number(known ? d->max_abs : NAN), "max_rel",
        cli_json_number(known ? ltap_difference_relative(d) : NAN), "cosine",
        cli_json_number(known ? ltap_difference_cosine(d) : NAN), "nan", (json_int_t)d->n_nan[0],
        (json_int_t)d->n_nan[1], "inf", (json_int_t)d->n_inf[0], (json_int_t)d->n_inf[1],
        "misplaced", (json_int_t)d->n_misplaced, "tolerance", cli_diff_tolerance(diff, pair),
        "verdict", verdict(pair));
}

static json_t *lacking_document(const cli_diff *diff, int which)
{
    const cli_side *side = &diff->sides[which];
    json_t *names = json_array();
    for (size_t i = 0; i < side->n_listed && diff->request.n_layers == 0; i++) {
        lack why;
        if (lacks(diff, which, i, &why))
            json_array_append_new(names, json_pack("{s:o, s:s}", "name",
                                                   cli_json_text(side->layers[i].name), "reason",
                                                   lack_names[why]));
    }
    return names;
}

static ltap_status print_json(const cli_diff *diff, ltap_error *error)
{
    json_t *layers = json_array();
    size_t n = 0;
    const cli_pair *first = find_first(diff, &n);
    int only = cli_arguments_has(diff->arguments, "differing");
    for (size_t i = 0; i < diff->n_order; i++) {
        if (!only || pair_at(diff, i)->differs)
            json_array_append_new(layers, pair_document(diff, pair_at(diff, i)));
    }
    json_t *name = first ? cli_json_text(cli_diff_layer(diff, first, 0)->name) : json_null();
    return cli_json_print(
        json_pack("{s:i, s:o, s:o, s:f, s:s, s:b, s:o, s:I, s:I, s:I, s:o, s:o, s:o}", "layertap",
                  1, "a", side_document(&diff->sides[0]), "b", side_document(&diff->sides[1]),
                  "tolerance", diff->tolerance, "reference", "b", "same", first == NULL, "first",
                  name, "compared", (json_int_t)count_compared(diff), "different", (json_int_t)n,
                  "passes", (json_int_t)diff->n_groups, "layers", layers, "only_a",
                  lacking_document(diff, 0), "only_b", lacking_document(diff, 1)),
        error);
}

ltap_status cli_diff_report(const cli_diff *diff, int *different, ltap_error *error)
{
    size_t n;
    int begun = 0;
    *different = find_first(diff, &n) != NULL;
    if (count_compared(diff) == 0)
        return cli_error_set(error, LTAP_ERROR_UNSUPPORTED,
                             "%s and %s: nothing in them is of a type that can be compared",
                             diff->sides[0].label, diff->sides[1].label);
    if (diff->talk.json)
        return print_json(diff, error);
    print_answer(diff);
    ltap_status status = print_pairs(diff, error);
    for (int side = 0; status == LTAP_OK && side < 2 && diff->request.n_layers == 0; side++)
        print_lacking(diff, side, &begun);
    if (status == LTAP_OK)
        status = cli_report_flush(error);
    if (status == LTAP_OK)
        print_rest(diff);
    return status;
}
