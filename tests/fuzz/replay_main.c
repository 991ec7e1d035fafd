/*
 * A plain main for a fuzz target: feeds it every file of the folders and files named, so that `make check` runs the
 * corpora without libFuzzer. Ends with the summary line that tests/run.sh reads; a crash says which file it was.
 *
 *   replay FILE-OR-FOLDER...
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

static int n_passed, n_failed, n_skipped;

static void replay_bytes(const uint8_t *bytes, size_t size, const char *name)
{
    /* an allocation of the exact size, so that a sanitizer sees a read past the end */
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    if (size)
        memcpy(copy, bytes, size);
    printf("# %s\n", name);
    fflush(stdout);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    n_passed++;
}

static void replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *bytes = NULL;
    struct stat st;

    if (f && fstat(fileno(f), &st) == 0 && (bytes = malloc((size_t)st.st_size + 1)) != NULL &&
        fread(bytes, 1, (size_t)st.st_size, f) == (size_t)st.st_size) {
        replay_bytes(bytes, (size_t)st.st_size, path);
    } else {
        printf("FAIL %s: %s\n", path, strerror(errno));
        n_failed++;
    }
    free(bytes);
    if (f)
        fclose(f);
}

static void replay_path(const char *path)
{
    struct dirent **names;
    struct stat st;
    char sub[4096];
    int n;

    if (stat(path, &st) != 0) {
        printf("SKIP %s: %s\n", path, strerror(errno));
        n_skipped++;
    } else if (!S_ISDIR(st.st_mode)) {
        replay_file(path);
    } else if ((n = scandir(path, &names, NULL, alphasort)) < 0) {
        printf("FAIL %s: %s\n", path, strerror(errno));
        n_failed++;
    } else {
        for (int i = 0; i < n; i++) {
            if (names[i]->d_name[0] != '.' && snprintf(sub, sizeof(sub), "%s/%s", path, names[i]->d_name) < (int)sizeof(sub))
                replay_path(sub);
            free(names[i]);
        }
        free(names);
    }
}

int main(int argc, char **argv)
{
    if (LLVMFuzzerInitialize)
        LLVMFuzzerInitialize(&argc, &argv);
    replay_bytes((const uint8_t *)"", 0, "(empty input)");
    for (int i = 1; i < argc; i++)
        replay_path(argv[i]);
    printf("%d passed, %d failed, %d skipped\n", n_passed, n_failed, n_skipped);
    return n_failed > 0;
}
