#ifndef TSF_TABLE_INTERNAL_H
#define TSF_TABLE_INTERNAL_H
/* Shared by the files of lib/table and their tests. */
#include "table/table.h"

/* Absolute path or URI, no trailing slash; malloc'ed, NULL without memory. */
char *table_canonical_path(const char *path);
/* Read properties from the snapshot's configuration into t->props (arrays in t->arena). */
enum tsf_err table_props_load(struct table *t, struct tsf_error *err);
/* The same checks on a schema and configuration that are about to become a table. */
enum tsf_err table_props_check(const struct table_create_options *opts, struct tsf_error *err);
/* Takes over a writer whose bytes are complete; frees it on failure too. */
enum tsf_err table_publisher_add(struct table_publisher *p, struct store_writer *w, struct tsf_error *err);

#endif
