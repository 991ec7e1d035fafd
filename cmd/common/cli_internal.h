#ifndef TSF_CLI_INTERNAL_H
#define TSF_CLI_INTERNAL_H
/* Between the files of cmd/common. */
void cli_setup(const char *name, int verbose, _Bool quiet);
#endif
