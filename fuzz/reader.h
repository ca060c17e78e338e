/* What targets of the readers of models share: loading any bytes, and archives that hold them.
 * What is refused is refused with one clear line.
 */
#ifndef FUZZ_READER_H
#define FUZZ_READER_H

#include "base/error.h"
#include "codec/zip.h"
#include "formats/format.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void check_refusal(ltap_status status, const ltap_error *error)
{
    if (status != LTAP_OK &&
        (error->message[0] == '\0' || strchr(error->message, '\n') || error->code != status))
        abort();
}

/* Bytes that may be of the format. */
static inline void load_as(const ltap_format *format, ltap_memory *memory, const uint8_t *data,
                           size_t size)
{
    ltap_error error = {.offset = LTAP_NO_OFFSET};
    ltap_graph *graph = NULL;
    ltap_source source;
    ltap_source_init(&source, data, size, memory);
    if (format->probe(&source) > 0)
        check_refusal(format->load(&source, &graph, &error), &error);
    if (graph != NULL && graph->no_network != NULL && strchr(graph->no_network, '\n'))
        abort();
    ltap_graph_free(graph);
    ltap_source_clear(&source);
}

typedef struct packed {
    const char *name;
    const uint8_t *data;
    size_t bytes;
} packed;

/* An archive that holds these files as they are, and is of the format. */
static inline void load_packed(const ltap_format *format, ltap_memory *memory, const packed *files,
                               size_t count)
{
    enum { MOST = 2 };
    ltap_zip_member members[MOST];
    uint64_t end = 0;
    if (count > MOST)
        abort();
    for (size_t i = 0; i < count; i++) {
        members[i] = (ltap_zip_member){.name = files[i].name,
                                       .name_bytes = strlen(files[i].name),
                                       .bytes = files[i].bytes,
                                       .crc = ltap_zip_crc(0, files[i].data, files[i].bytes)};
        if (ltap_zip_place(&members[i], &end, NULL) != LTAP_OK)
            return;
    }
    size_t whole = (size_t)(end + ltap_zip_directory_bytes(members, count, end));
    uint8_t *archive = calloc(1, whole);
    if (archive == NULL)
        return;
    for (size_t i = 0; i < count; i++) {
        ltap_zip_local_header(&members[i], archive + members[i].header_offset);
        memcpy(archive + members[i].data_offset, files[i].data, files[i].bytes);
    }
    ltap_zip_directory(members, count, end, archive + end);
    load_as(format, memory, archive, whole);
    free(archive);
}

#endif
