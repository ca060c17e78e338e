/* All members as one .npz: stored zip entries "<key>.npy", their arrays aligned to 64 bytes so that
 * the file can be mapped. Sizes are known, so every byte has its place from the start; headers are
 * written at commit, when the CRCs are known.
 */
#include "base/error.h"
#include "base/map.h"
#include "codec/npy.h"
#include "codec/zip.h"
#include "io/writer.h"
#include <string.h>

#define SUFFIX     ".npy"
#define STEP_BYTES (1u << 18)

static ltap_zip_member *members_of(const ltap_writer *writer)
{
    return writer->state;
}

/* numpy takes data["a.npy"] for the member of "a". */
static ltap_status check_key(const ltap_map *keys, const ltap_writer_slot *slot, ltap_error *error)
{
    size_t shown = strlen(slot->key) - strlen(SUFFIX);
    uint32_t other;
    if (!ltap_map_get(keys, slot->key, shown, &other))
        return LTAP_OK;
    return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                          "the names '%.*s' and '%s' cannot be told apart in an .npz; choose other "
                          "names, or write .safetensors",
                          (int)(shown - strlen(SUFFIX)), slot->key, slot->name);
}

static ltap_status check_keys(const ltap_writer *writer, ltap_error *error)
{
    ltap_status status = LTAP_OK;
    ltap_map keys;
    ltap_map_init(&keys, writer->memory);
    for (size_t i = 0; i < writer->n_slots; i++)
        LTAP_GO(ltap_map_set(&keys, writer->slots[i].key, strlen(writer->slots[i].key), (uint32_t)i,
                             error));
    for (size_t i = 0; i < writer->n_slots; i++)
        LTAP_GO(check_key(&keys, &writer->slots[i], error));
done:
    ltap_map_clear(&keys);
    return status;
}

/* Places one member: its npy header, then its data. */
static ltap_status place(ltap_writer *writer, size_t index, uint64_t *end, ltap_error *error)
{
    ltap_writer_slot *slot = &writer->slots[index];
    ltap_zip_member *member = &members_of(writer)[index];
    char header[LTAP_NPY_HEADER_MAX];
    size_t header_bytes;
    ltap_status status = ltap_npy_header(&slot->tensor, header, &header_bytes, error);
    if (status != LTAP_OK)
        return ltap_error_prefix(error, status, "'%s'", slot->name);
    LTAP_TRY(ltap_writer_encode(&writer->arena, slot->name, false, SUFFIX, &slot->key, error));
    member->name = slot->key;
    member->name_bytes = strlen(slot->key);
    member->bytes = header_bytes + slot->bytes;
    LTAP_TRY(ltap_zip_place(member, end, error));
    slot->offset = member->data_offset + header_bytes;
    slot->crc = ltap_zip_crc(0, header, header_bytes);
    return LTAP_OK;
}

static ltap_status npz_layout(ltap_writer *writer, ltap_error *error)
{
    uint64_t end = 0;
    LTAP_TRY(ltap_arena_take(&writer->arena, writer->n_slots, sizeof(ltap_zip_member),
                             &writer->state, error));
    for (size_t i = 0; i < writer->n_slots; i++)
        LTAP_TRY(place(writer, i, &end, error));
    LTAP_TRY(check_keys(writer, error));
    writer->total_bytes = end + ltap_zip_directory_bytes(members_of(writer), writer->n_slots, end);
    return LTAP_OK;
}

/* Step by step, so that the processor's cache still has the bytes when they are written. */
static ltap_status npz_append(ltap_writer *writer, ltap_writer_slot *slot, const void *data,
                              size_t bytes, ltap_error *error)
{
    const uint8_t *next = data;
    uint64_t offset = slot->offset + slot->done;
    for (size_t step; bytes > 0; bytes -= step, next += step, offset += step) {
        step = bytes < STEP_BYTES ? bytes : STEP_BYTES;
        slot->crc = ltap_zip_crc(slot->crc, next, step);
        LTAP_TRY(ltap_outfile_write(&writer->file, offset, next, step, error));
    }
    return LTAP_OK;
}

/* Writes what lies in front of a member's data, both headers in one piece. */
static ltap_status write_headers(ltap_writer *writer, size_t index, ltap_error *error)
{
    const ltap_writer_slot *slot = &writer->slots[index];
    ltap_zip_member *member = &members_of(writer)[index];
    size_t local_bytes = member->data_offset - member->header_offset, npy_bytes;
    char header[LTAP_NPY_HEADER_MAX];
    void *block;
    member->crc = slot->crc;
    LTAP_TRY(ltap_npy_header(&slot->tensor, header, &npy_bytes, error));
    LTAP_TRY(ltap_memory_take(writer->memory, local_bytes + npy_bytes, "a header", &block, error));
    ltap_zip_local_header(member, block);
    memcpy((char *)block + local_bytes, header, npy_bytes);
    ltap_status status = ltap_outfile_write(&writer->file, member->header_offset, block,
                                            local_bytes + npy_bytes, error);
    ltap_memory_release(writer->memory, block);
    return status;
}

static ltap_status write_directory(ltap_writer *writer, ltap_error *error)
{
    uint64_t end = 0;
    void *block;
    if (writer->n_slots)
        end = writer->slots[writer->n_slots - 1].offset + writer->slots[writer->n_slots - 1].bytes;
    LTAP_TRY(
        ltap_memory_take(writer->memory, writer->total_bytes - end, "a directory", &block, error));
    ltap_zip_directory(members_of(writer), writer->n_slots, end, block);
    ltap_status status =
        ltap_outfile_write(&writer->file, end, block, writer->total_bytes - end, error);
    ltap_memory_release(writer->memory, block);
    return status;
}

static ltap_status npz_commit(ltap_writer *writer, ltap_error *error)
{
    for (size_t i = 0; i < writer->n_slots; i++)
        LTAP_TRY(write_headers(writer, i, error));
    LTAP_TRY(write_directory(writer, error));
    return ltap_writer_file_commit(writer, error);
}

const ltap_writer_format ltap_writer_npz = {
    .name = "npz",
    .suffix = ".npz",
    .layout = npz_layout,
    .open = ltap_writer_file_open,
    .append = npz_append,
    .commit = npz_commit,
    .close = ltap_writer_file_close,
};
