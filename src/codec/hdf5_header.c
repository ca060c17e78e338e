/* HDF5: object headers of version 1: messages in a first block, and in blocks that continuation
 * messages name.
 */
#include "base/error.h"
#include "codec/bytes.h"
#include "codec/hdf5_parts.h"
#include <string.h>

#define PREFIX_BYTES  16
#define MESSAGE_BYTES 8
#define FLAG_SHARED   2

typedef struct reader {
    ltap_hdf5 *file;
    uint64_t header;
    size_t left;          /* messages that the header declares and that were not read yet */
    ltap_vector blocks;   /* of message_block: where more messages lie */
    ltap_vector messages; /* of ltap_hdf5_message */
    ltap_error *error;
} reader;

typedef struct message_block {
    uint64_t offset, bytes;
} message_block;

const ltap_hdf5_message *ltap_hdf5_message_find(const ltap_hdf5_header *header, unsigned type)
{
    for (size_t i = 0; i < header->n_messages; i++)
        if (header->messages[i].type == type)
            return &header->messages[i];
    return NULL;
}

static bool matters(unsigned type)
{
    static const uint8_t types[] = {
        LTAP_HDF5_DATASPACE,      LTAP_HDF5_LINK_INFO, LTAP_HDF5_DATATYPE, LTAP_HDF5_LINK,
        LTAP_HDF5_EXTERNAL,       LTAP_HDF5_LAYOUT,    LTAP_HDF5_FILTERS,  LTAP_HDF5_ATTRIBUTE,
        LTAP_HDF5_ATTRIBUTE_INFO, LTAP_HDF5_SYMBOLS,
    };
    return memchr(types, (int)type, sizeof types) != NULL;
}

static ltap_status read_continuation(reader *r, const ltap_hdf5_message *message)
{
    const uint8_t *p = r->file->bytes + message->offset;
    if (message->bytes < 16 || message->shared)
        return LTAP_HDF5_BAD(r->file, r->error, message->offset,
                             "a continuation of a header says no place");
    message_block block = {ltap_load_u64(p), ltap_load_u64(p + 8)};
    return ltap_vector_push(&r->blocks, &block, r->error);
}

static ltap_status keep(reader *r, const ltap_hdf5_message *message)
{
    if (message->type == LTAP_HDF5_CONTINUATION)
        return read_continuation(r, message);
    if (!matters(message->type))
        return LTAP_OK;
    if (message->type != LTAP_HDF5_ATTRIBUTE)
        for (size_t i = 0; i < r->messages.count; i++)
            if (LTAP_VECTOR_AT(&r->messages, ltap_hdf5_message, i)->type == message->type)
                return LTAP_HDF5_BAD(r->file, r->error, message->offset,
                                     "an object with two messages of type %u", message->type);
    return ltap_vector_push(&r->messages, message, r->error);
}

static ltap_status read_block(reader *r, const message_block *block)
{
    const uint8_t *p;
    LTAP_TRY(
        ltap_hdf5_spend(r->file, block->offset, block->bytes, "an object's header", &p, r->error));
    for (uint64_t at = 0; block->bytes - at >= MESSAGE_BYTES && r->left > 0; r->left--) {
        ltap_hdf5_message message = {.offset = block->offset + at + MESSAGE_BYTES,
                                     .bytes = ltap_load_u16(p + at + 2),
                                     .type = ltap_load_u16(p + at),
                                     .shared = (p[at + 4] & FLAG_SHARED) != 0};
        if (message.bytes > block->bytes - at - MESSAGE_BYTES)
            return LTAP_HDF5_BAD(r->file, r->error, block->offset + at,
                                 "a message of %u bytes reaches beyond its header", message.bytes);
        LTAP_TRY(keep(r, &message));
        at += MESSAGE_BYTES + message.bytes;
    }
    return LTAP_OK;
}

static ltap_status read_prefix(reader *r, uint64_t from, message_block *first)
{
    const uint8_t *p = ltap_hdf5_at(r->file, r->header, 4);
    if (p != NULL && memcmp(p, "OHDR", 4) == 0)
        return LTAP_HDF5_UNSUPPORTED(r->file, r->error, r->header,
                                     "an object header of version 2 (libver='latest' or "
                                     "track_order); version 1 is read; write it with h5py's "
                                     "defaults");
    p = ltap_hdf5_at(r->file, r->header, PREFIX_BYTES);
    if (p == NULL || p[0] != 1)
        return LTAP_HDF5_BAD(r->file, r->error, from, "no object at byte %llu",
                             (unsigned long long)r->header);
    LTAP_TRY(ltap_hdf5_spend(r->file, r->header, PREFIX_BYTES, "an object's header", &p, r->error));
    r->left = ltap_load_u16(p + 2);
    *first = (message_block){r->header + PREFIX_BYTES, ltap_load_u32(p + 8)};
    return LTAP_OK;
}

static ltap_status read_messages(reader *r, uint64_t from)
{
    message_block block;
    LTAP_TRY(read_prefix(r, from, &block));
    LTAP_TRY(read_block(r, &block));
    for (size_t i = 0; i < r->blocks.count; i++) {
        block = *LTAP_VECTOR_AT(&r->blocks, message_block, i);
        LTAP_TRY(read_block(r, &block));
    }
    if (r->left != 0)
        return LTAP_HDF5_BAD(r->file, r->error, r->header,
                             "an object's header ends %zu messages short", r->left);
    return LTAP_OK;
}

/* Groups of newer kinds keep their links in messages or in a fractal heap. */
static ltap_status classify(reader *r, ltap_hdf5_header *header)
{
    header->is_group = ltap_hdf5_message_find(header, LTAP_HDF5_SYMBOLS) != NULL;
    const ltap_hdf5_message *links = ltap_hdf5_message_find(header, LTAP_HDF5_LINK_INFO);
    if (links == NULL)
        links = ltap_hdf5_message_find(header, LTAP_HDF5_LINK);
    if (links != NULL)
        return LTAP_HDF5_UNSUPPORTED(r->file, r->error, links->offset,
                                     "a group with link messages (external links, track_order or "
                                     "libver='latest'); symbol tables are read; write it with "
                                     "h5py's defaults");
    return LTAP_OK;
}

static ltap_status finish(reader *r, const ltap_hdf5_header **header)
{
    ltap_hdf5 *file = r->file;
    size_t n = r->messages.count;
    void *block, *messages;
    LTAP_TRY(ltap_arena_take(&file->arena, 1, sizeof(ltap_hdf5_header), &block, r->error));
    LTAP_TRY(ltap_arena_take(&file->arena, n, sizeof(ltap_hdf5_message), &messages, r->error));
    ltap_hdf5_header *made = block;
    if (n > 0)
        memcpy(messages, r->messages.data, n * sizeof(ltap_hdf5_message));
    *made = (ltap_hdf5_header){.offset = r->header, .messages = messages, .n_messages = n};
    LTAP_TRY(classify(r, made));
    *header = made;
    LTAP_TRY(ltap_vector_push(&file->read, &made, r->error));
    return ltap_map_set(&file->headers, (const char *)&made->offset, sizeof made->offset,
                        (uint32_t)(file->read.count - 1), r->error);
}

ltap_status ltap_hdf5_header_read(ltap_hdf5 *file, uint64_t address, uint64_t from,
                                  const ltap_hdf5_header **header, bool *known, ltap_error *error)
{
    uint32_t index;
    *known = ltap_map_get(&file->headers, (const char *)&address, sizeof address, &index);
    if (*known) {
        *header = *LTAP_VECTOR_AT(&file->read, ltap_hdf5_header *, index);
        return LTAP_OK;
    }
    reader r = {.file = file, .header = address, .error = error};
    ltap_vector_init(&r.blocks, file->memory, sizeof(message_block));
    ltap_vector_init(&r.messages, file->memory, sizeof(ltap_hdf5_message));
    ltap_status status = read_messages(&r, from);
    if (status == LTAP_OK)
        status = finish(&r, header);
    ltap_vector_clear(&r.messages);
    ltap_vector_clear(&r.blocks);
    return status;
}
