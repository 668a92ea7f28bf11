/* Folders of the runtime beside the data: private to the user, with files under random names. */
#ifndef HF_RUNTIME_FOLDER_H
#define HF_RUNTIME_FOLDER_H

#include "engine/store.h"

/* Opens the folder `name` of directory, making it (0700) when it is not there. Returns owned:
 * close. Errors: HF_IO; HF_UNSAFE_DIRECTORY: a link or no folder, or open to others. */
HF_MUST_CHECK hf_status hf__folder_open(int directory, const char *name, int *out_folder,
                                        hf_error *error);

/* Writes size - 1 random hexadecimal digits and a NUL; size is odd. */
void hf__folder_random_name(const struct hf_seams *seams, char *name, size_t size);

/* Whether name is one of those: size - 1 digits, 0 to 9 and a to f. Names from a disk are asked
 * before they are opened. */
bool hf__folder_is_name(hf_slice name, size_t size);

#endif
