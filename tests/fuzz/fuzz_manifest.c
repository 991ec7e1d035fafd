/* Manifest lines: whatever parses has paths within the table, and prints as a line that parses the same. */
#include <stdlib.h>

#include "table/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct table_manifest m = TABLE_MANIFEST_INIT, again = TABLE_MANIFEST_INIT;
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_buf line = TSF_BUF_INIT(1 << 26);

    if (table_manifest_parse(&m, tsf_str_n(data, size), &err) == TSF_OK) {
        for (int i = 0; i < m.n_added; i++)
            if (m.added[i].path[0] == '/' || strstr(m.added[i].path, "/../"))
                abort();
        if (table_manifest_annotate(&m, "warm", "{\"files\":1}", &err) != TSF_OK || table_manifest_print(&m, &line, &err) != TSF_OK)
            abort();
        if (table_manifest_parse(&again, tsf_buf_str(&line), &err) != TSF_OK || again.n_added != m.n_added || again.n_removed != m.n_removed)
            abort();
    }
    tsf_buf_release(&line);
    table_manifest_release(&m);
    table_manifest_release(&again);
    return 0;
}
