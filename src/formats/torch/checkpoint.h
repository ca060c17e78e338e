/* A PyTorch checkpoint as a table of named tensors: zip and legacy layouts of torch.save, and
 * safetensors. The bytes of weights stay where they are.
 */
#ifndef LTAP_FORMATS_TORCH_CHECKPOINT_H
#define LTAP_FORMATS_TORCH_CHECKPOINT_H

#include "codec/pickle.h"
#include "codec/zip.h"
#include "formats/format.h"

typedef struct ltap_torch_storage {
    const char *key;
    ltap_dtype dtype;
    uint64_t count;                 /* elements that the pickle says it has */
    uint64_t offset, bytes;         /* in the file; of a deflated one: unpacked bytes */
    bool found;                     /* false: its bytes are not in the file */
    const ltap_zip_entry *deflated; /* NULL: as they are */
    const uint8_t *unpacked;        /* once somebody needed it */
    uint64_t at;                    /* byte that speaks of it */
} ltap_torch_storage;

typedef struct ltap_torch_tensor {
    const char *name;
    ltap_tensor shape;              /* data NULL */
    int64_t strides[LTAP_MAX_RANK]; /* in elements, never negative */
    uint64_t first;                 /* element of the storage; all lie in it */
    uint32_t storage;
    bool used;   /* by the network that was built */
    uint64_t at; /* byte that speaks of it */
} ltap_torch_tensor;

typedef struct ltap_torch_checkpoint {
    ltap_source *source;
    ltap_arena *arena;  /* borrowed: lives as long as the graph */
    const char *layout; /* "PyTorch checkpoint", "safetensors checkpoint", "TorchScript program" */
    bool is_script;     /* the last of them: its code is left alone */
    ltap_zip zip;
    ltap_vector storages; /* ltap_torch_storage */
    ltap_vector tensors;  /* ltap_torch_tensor, in the file's order */
    ltap_map storage_by_key, tensor_by_name;
    const char *prefix; /* that all names had and lost: "module."; "" */
    bool keeps_names;   /* set by the caller: names lose nothing */
} ltap_torch_checkpoint;

/* Whether the bytes begin as such a file does, as ltap_format.probe says it. */
int ltap_torch_probe(const ltap_source *source);
/* checkpoint: zeroed but for source and arena; to be cleared whatever the result. */
ltap_status ltap_torch_read(ltap_torch_checkpoint *checkpoint, ltap_error *error);
/* The same without a file: an empty table, to be filled with storages and ltap_torch_add. */
void ltap_torch_init(ltap_torch_checkpoint *checkpoint);
void ltap_torch_clear(ltap_torch_checkpoint *checkpoint);

/* NULL: there is none. */
ltap_torch_tensor *ltap_torch_find(const ltap_torch_checkpoint *checkpoint, const char *name);
/* A view of the tensor's elements in row-major order: into the file where they lie so, else a copy.
 * unaligned: the data is not aligned to its type. */
ltap_status ltap_torch_data(ltap_torch_checkpoint *checkpoint, const ltap_torch_tensor *tensor,
                            ltap_tensor *out, ltap_error *error);

/* The tensors of an unpickled object. Storages are as the pickle says; who calls finds their bytes.
 */
extern const ltap_pickle_global ltap_torch_globals[];
ltap_status ltap_torch_collect(ltap_torch_checkpoint *checkpoint, ltap_pickle *object,
                               ltap_error *error);
/* The tensors that the modules of a TorchScript program hold, by their paths; none where they are
 * constants of its code. */
ltap_status ltap_torch_collect_modules(ltap_torch_checkpoint *checkpoint, ltap_pickle *object,
                                       ltap_error *error);
/* Whether a value will be a tensor; and that tensor, added. name: kept. */
bool ltap_torch_is_tensor(const ltap_pickle *value);
ltap_status ltap_torch_read_tensor(ltap_torch_checkpoint *checkpoint, const char *name,
                                   const ltap_pickle *value, ltap_error *error);
/* How a TorchScript program becomes something that layertap reads: lines of Python. */
ltap_status ltap_torch_tell_conversion(const ltap_source *source, ltap_arena *arena,
                                       const char **text, ltap_error *error);
/* Checks that all elements lie in the storage, then adds. */
ltap_status ltap_torch_add(ltap_torch_checkpoint *checkpoint, const ltap_torch_tensor *tensor,
                           ltap_error *error);

#endif
