/* Numbers, sizes and shapes as people read and type them. */
#ifndef LTAP_CLI_TEXT_H
#define LTAP_CLI_TEXT_H

#include <layertap/error.h>
#include <layertap/model.h>
#include <layertap/tensor.h>

/* "9.5k", "118.0M", "1.8G"; "-" for 0. unit: what stands between number and letter: "" or " ". */
ltap_text cli_text_count(uint64_t count, const char *unit);
/* "1.0 MB", "812 bytes"; decimal, as disks are sold. */
ltap_text cli_text_bytes(uint64_t bytes);
/* Four significant digits; "-" for NaN. */
ltap_text cli_text_number(double number);
/* "float32[1,3,224,224]", free sizes by their names: "float32[batch,3,?,?]". */
ltap_text cli_text_port(const ltap_port *port);
ltap_text cli_text_tensor(const ltap_tensor *tensor);
/* The part of a path after its last '/', with or without its last suffix. */
ltap_text cli_text_base(const char *path, int keep_suffix);

/* Appends as printf does; what does not fit is cut off. */
void cli_text_add(char *text, size_t size, const char *format, ...) LTAP_PRINTF(3, 4);

/* "1x3x224x224" -> dims; "scalar" or "" is rank 0. Returns 0 where the text is no shape. */
int cli_text_parse_shape(const char *text, ltap_tensor *tensor);
/* "512M", "2G", "1024", in units of 1024. Returns 0 where the text is no size. */
int cli_text_parse_bytes(const char *text, uint64_t *bytes);

#endif
