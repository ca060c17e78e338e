/* TorchScript programs (torch.jit.save) as tables of tensors. Their pickle holds an object per
 * module, whose state has parameters, buffers and the modules inside by name; their code is beside
 * it and is left alone.
 *
 * A pickle may share what it likes, and be in circles: what is walked over is counted.
 */
#include "formats/torch/checkpoint.h"

#include "base/error.h"

#include <string.h>

#define MAX_MODULES_DEEP 64
#define MAX_ATTRIBUTES   (1u << 18) /* of all modules, each as often as it is reached */
#define MAX_PATH         500

typedef struct walk {
    ltap_torch_checkpoint *checkpoint;
    char path[MAX_PATH + 2]; /* of the module, with a dot behind; "" */
    size_t bytes;
    int depth;
    size_t n_attributes;
} walk;

/* What a module holds, by name; NULL: it is none, or holds it in a way of its own. */
static const ltap_pickle *state_of(const ltap_pickle *value)
{
    bool is_object = value->kind == LTAP_PICKLE_CALL && value->count > 2 &&
                     value->items[0]->global->role == LTAP_PICKLE_OBJECT;
    return is_object && value->items[2]->kind == LTAP_PICKLE_DICT ? value->items[2] : NULL;
}

static ltap_status walk_module(walk *w, const ltap_pickle *state, ltap_error *error);

static ltap_status walk_attribute(walk *w, const ltap_pickle *key, const ltap_pickle *value,
                                  ltap_error *error)
{
    const ltap_pickle *inside = state_of(value);
    const char *name;
    size_t bytes = w->bytes;
    if (inside == NULL && !ltap_torch_is_tensor(value))
        return LTAP_OK;
    if (key->bytes > MAX_PATH - bytes || strlen(key->text) != key->bytes)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, key->offset,
                             "the path of a module or tensor holds a NUL, or more than %d bytes",
                             MAX_PATH);
    memcpy(w->path + bytes, key->text, key->bytes);
    w->bytes += key->bytes;
    if (inside == NULL) {
        LTAP_TRY(ltap_arena_text(w->checkpoint->arena, w->path, w->bytes, &name, error));
        LTAP_TRY(ltap_torch_read_tensor(w->checkpoint, name, value, error));
    } else {
        w->path[w->bytes++] = '.';
        LTAP_TRY(walk_module(w, inside, error));
    }
    w->bytes = bytes;
    return LTAP_OK;
}

static ltap_status walk_module(walk *w, const ltap_pickle *state, ltap_error *error)
{
    if (++w->depth > MAX_MODULES_DEEP)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, state->offset,
                             "modules are nested deeper than %d", MAX_MODULES_DEEP);
    for (size_t i = 0; i + 1 < state->count; i += 2) {
        if (++w->n_attributes > MAX_ATTRIBUTES)
            return ltap_error_at(error, LTAP_ERROR_FORMAT, state->offset,
                                 "the modules have more than %u attributes", MAX_ATTRIBUTES);
        if (state->items[i]->kind == LTAP_PICKLE_STRING)
            LTAP_TRY(walk_attribute(w, state->items[i], state->items[i + 1], error));
    }
    w->depth--;
    return LTAP_OK;
}

ltap_status ltap_torch_collect_modules(ltap_torch_checkpoint *c, ltap_pickle *object,
                                       ltap_error *error)
{
    walk w = {.checkpoint = c};
    const ltap_pickle *state = state_of(object);
    const char *conversion;
    if (state != NULL)
        LTAP_TRY(walk_module(&w, state, error));
    if (c->tensors.count > 0)
        return LTAP_OK;
    LTAP_TRY(ltap_torch_tell_conversion(c->source, c->arena, &conversion, error));
    return ltap_error_set(
        error, LTAP_ERROR_UNSUPPORTED,
        "this is a TorchScript program whose modules hold no tensors "
        "(torch.jit.freeze makes them constants of the code), and its code is not "
        "run; %s",
        conversion);
}

/* A path may hold anything; between quotes goes what needs no care there. */
static bool is_plain(const char *path)
{
    for (; *path != '\0'; path++)
        if ((unsigned char)*path < ' ' || strchr("'\\\x7f", *path) != NULL)
            return false;
    return true;
}

ltap_status ltap_torch_tell_conversion(const ltap_source *source, ltap_arena *arena,
                                       const char **text, ltap_error *error)
{
    const char *path = source->member ? source->member : source->path;
    if (path == NULL || !is_plain(path) || strlen(path) > MAX_PATH)
        path = "model.pt";
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    const char *dot = strrchr(name, '.');
    int stem = (int)(dot != NULL && dot > name ? dot - path : (ptrdiff_t)strlen(path));
    return ltap_arena_format(
        arena, text, error,
        "convert it in Python, with an input of its own: import torch; from torch._export.converter "
        "import TS2EPConverter; m = torch.jit.load('%s').eval(); x = (torch.zeros(1, 3, 224, 224),); "
        "torch.onnx.export(m, x, '%.*s.onnx', dynamo=False, "
        "training=torch.onnx.TrainingMode.PRESERVE) or "
        "torch.export.save(TS2EPConverter(m, x).convert(), '%.*s.pt2')",
        path, stem, path, stem, path);
}
