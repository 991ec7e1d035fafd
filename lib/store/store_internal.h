#ifndef TSF_STORE_INTERNAL_H
#define TSF_STORE_INTERNAL_H
/* How store.c makes the back ends, and what they share. */
#include "store/store.h"

#define STORE_TEMP_PREFIX ".tmp-" /* names of tsf_newfile's temporaries */
#define STORE_DEPTH_MAX 64        /* folders in one another that a listing follows */

/* path: absolute or relative directory, need not exist. */
enum tsf_err store_local_new(const char *path, struct store **out, struct tsf_error *err);

static inline bool store_is_temp(const char *name) { return strncmp(name, STORE_TEMP_PREFIX, sizeof STORE_TEMP_PREFIX - 1) == 0; }

#endif
