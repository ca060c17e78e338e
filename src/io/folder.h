/* Folders that are seen whole or not at all, as ltap_outfile does it for files. */
#ifndef LTAP_IO_FOLDER_H
#define LTAP_IO_FOLDER_H

#include "base/file.h"
#include <stdbool.h>

typedef struct ltap_outfolder {
    int descriptor; /* of the temporary folder; -1 when closed */
    char path[LTAP_PATH_BYTES];
    char temporary[LTAP_PATH_BYTES]; /* "" while there is no such folder */
    bool force;
} ltap_outfolder;

/* Makes a temporary folder beside path (slashes at its end are ignored). An existing path must be
 * an empty folder; or, with force, one that holds nothing but .npy files. */
ltap_status ltap_outfolder_open(const char *path, bool force, ltap_outfolder *folder,
                                ltap_error *error);
/* Renames; what was there before is removed. */
ltap_status ltap_outfolder_commit(ltap_outfolder *folder, ltap_error *error);
/* Unless committed, removes the temporary folder and the .npy files in it. */
void ltap_outfolder_close(ltap_outfolder *folder);

#endif
