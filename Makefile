# tsf: build, install, check, bench, demo, lint. `make help` lists the targets.
#
# One file, no recursion. Sources are found, never listed:
#
#   lib/<room>/*.c                     -> build/<variant>/libtsf.a
#   cmd/tsf-*.c with cmd/common/*.c    -> build/<variant>/bin/tsf-*
#   tests/unit/*_test.c                -> build/<variant>/tests/unit/*_test     (cmocka)
#   tests/{sql,conformance,fault,interop,bench}/*.c  -> build/<variant>/tests/<folder>/*  (one main each)
#   tests/fuzz/fuzz_*.c                -> build/fuzz/tests/fuzz/* (libFuzzer), build/<variant>/tests/replay/* (plain main)
#
# A variant is a folder under build/ with flags of its own: release, asan, tsan, fuzz. Files named *_avx2.c and
# *_avx512.c are compiled for those instruction sets and left out on other machines; the rest is baseline code.
# Position-independent programs spend 110 us of each start on relocating libpg_query's tables; PIE=1 builds them so.

SHELL := /bin/sh
.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := all
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
MAKEFLAGS += --no-builtin-rules -j$(JOBS)
ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(origin AR),default)
AR := ar
endif
CLANG ?= clang
PREFIX ?= /usr/local
DESTDIR ?=
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
DATADIR ?= $(PREFIX)/share
CFLAGS ?= -O3 -g
FUZZ_SECONDS ?= 60
SQL ?= tests/sql
CONFORMANCE ?= $(firstword $(wildcard ../shared/conformance ../../shared/conformance) ../shared/conformance)
VARIANTS := release asan tsan fuzz
WERROR ?= $(if $(CI),1)
ARCH := $(shell uname -m)
V ?=
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2))

# ---- flags ----------------------------------------------------------------------------------------

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wvla \
        -Wpointer-arith -Wwrite-strings -Wundef -Wformat=2 -Wno-format-nonliteral -Wno-missing-field-initializers \
        -Wno-unused-parameter $(if $(filter 1,$(WERROR)),-Werror)
BASE_CFLAGS := -std=gnu17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Ilib -Icmd -fvisibility=hidden -pthread \
        -ffunction-sections -fdata-sections -fno-strict-aliasing -fno-math-errno -ffp-contract=off -MMD -MP $(WARN)
BASE_LDFLAGS := -pthread -Wl,--gc-sections -Wl,--as-needed -Wl,--hash-style=gnu -Wl,--exclude-libs,ALL

NO_PIE := $(if $(PIE),,1)
CC_release := $(CC)
CC_asan := $(CC)
CC_tsan := $(CC)
CC_fuzz := $(CLANG)
CFLAGS_release := $(CFLAGS) -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong \
        $(if $(NO_PIE),-fno-pie) $(if $(LTO),-flto=auto)
CFLAGS_asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all -DTSF_ASAN=1
CFLAGS_tsan := -O1 -g -fno-omit-frame-pointer -fsanitize=thread -DTSF_TSAN=1
# Adding 0 to a null pointer is what clang alone complains of, for empty views; ASan sees real overflows.
CFLAGS_fuzz := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize=pointer-overflow \
        -fno-sanitize-recover=all -DTSF_ASAN=1 -DTSF_FUZZ=1
LDFLAGS_release := $(if $(NO_PIE),-no-pie) $(if $(LTO),-flto=auto) -Wl,-z,noseparate-code
LDFLAGS_asan := -fsanitize=address,undefined
LDFLAGS_tsan := -fsanitize=thread
LDFLAGS_fuzz := -fsanitize=address,undefined

ISA_avx2 := -mavx2 -mbmi -mbmi2 -mlzcnt -mpopcnt -mfma -mf16c
ISA_avx512 := $(ISA_avx2) -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512cd -mavx512vbmi -mprefer-vector-width=512
isa = $(if $(filter %_avx2.c,$(1)),$(ISA_avx2))$(if $(filter %_avx512.c,$(1)),$(ISA_avx512))

# ---- sources --------------------------------------------------------------------------------------

LIB_SRC := $(sort $(wildcard lib/*/*.c))
ifneq ($(ARCH),x86_64)
LIB_SRC := $(filter-out %_avx2.c %_avx512.c,$(LIB_SRC))
endif
CMD_SRC := $(sort $(wildcard cmd/tsf-*.c))
COMMON_SRC := $(sort $(wildcard cmd/common/*.c))
UNIT_SRC := $(sort $(wildcard tests/unit/*_test.c))
UNIT_SHARED_SRC := $(filter-out $(UNIT_SRC),$(sort $(wildcard tests/unit/*.c)))
TOOL_SRC := $(sort $(wildcard tests/sql/*.c tests/conformance/*.c tests/fault/*.c tests/interop/*.c tests/bench/*.c))
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
UNIT ?=

PROGRAMS := $(patsubst cmd/%.c,%,$(CMD_SRC))
bins = $(PROGRAMS:%=build/$(1)/bin/%)
units = $(patsubst %.c,build/$(1)/%,$(if $(UNIT),$(filter $(UNIT:%=tests/unit/%_test.c) $(UNIT:%=tests/unit/%.c),$(UNIT_SRC)),$(UNIT_SRC)))
tools = $(patsubst %.c,build/$(1)/%,$(filter $(or $(2:%=tests/%/%),tests/%),$(TOOL_SRC)))
tooldir = $(patsubst %.c,build/$(1)/%,$(filter tests/$(2)/%,$(TOOL_SRC)))
replays = $(patsubst tests/fuzz/%.c,build/$(1)/tests/replay/%,$(FUZZ_SRC))
FUZZERS := $(patsubst %.c,build/fuzz/%,$(FUZZ_SRC))

# ---- libraries ------------------------------------------------------------------------------------
# build/config.mk says which archives and shared libraries to link. It is made by tests/configure.sh once the
# packages are there; make restarts itself after making it. Targets that build nothing do not need it.

NO_BUILD := help clean deps uninstall distclean
GOALS := $(or $(MAKECMDGOALS),all)
NEED := $(or $(if $(filter check check-% fuzz lint,$(GOALS)),test),$(if $(filter demo bench,$(GOALS)),demo),build)
INSTALLS := $(filter check check-% demo bench fuzz lint,$(GOALS))
ifneq ($(filter-out $(NO_BUILD),$(GOALS)),)
include build/config.mk
endif

build/config.mk: tests/configure.sh tests/deps.sh | build/deps-$(NEED)
	$(Q)mkdir -p build && CC="$(CC)" sh tests/configure.sh >$@.tmp && mv $@.tmp $@

# Stamps: the packages of that list were there. Goals that run things install what is missing, plain builds only tell.
# Each list holds the ones before it (build, demo, test); being needed by an included file, the packages are there
# before anything is compiled.
build/deps-%: tests/deps.sh
	$(Q)mkdir -p build && sh tests/deps.sh $(if $(INSTALLS),install,list) $* && touch $@

# ---- goals ----------------------------------------------------------------------------------------

all: build/release/libtsf.a $(call bins,release) ## all: the library and the programs, in build/release

help: ## help: this list
	@sed -n 's/^[a-z].*## \([a-z-]*\): \(.*\)/  \1\t\2/p' Makefile | expand -t 24
	@echo; echo "Variables: CC CFLAGS PREFIX DESTDIR JOBS UNIT='name...' SQL CONFORMANCE FUZZ_SECONDS, WERROR=1 LTO=1 V=1"

deps: ## deps: install the Debian packages that building and checking need
	$(Q)mkdir -p build && sh tests/deps.sh install test && touch build/deps-build build/deps-test

asan: build/asan/libtsf.a $(call bins,asan) ## asan: library and programs under address and undefined sanitizers

define VARIANT_RULES
build/$(1)/libtsf.a: $$(LIB_SRC:%.c=build/$(1)/%.o) build/$(1)/sources
	$$(call say,AR,$$@)
	$$(Q)rm -f $$@ && $$(AR) rcsD $$@ $$(filter %.o,$$^)

# Rewritten only when they say something new: a file that went leaves the archive, other flags make other objects.
build/$(1)/sources build/$(1)/flags: build/$(1)/%: FORCE
	$$(Q)mkdir -p $$(@D) && echo '$$(strip $$(if $$(filter %flags,$$@),$$(CC_$(1)) $$(CPPFLAGS) $$(CFLAGS_$(1)),$$(LIB_SRC)))' >$$@.tmp && \
	if cmp -s $$@.tmp $$@; then rm $$@.tmp; else mv $$@.tmp $$@; fi

build/$(1)/bin/tsf-%: build/$(1)/cmd/tsf-%.o $$(COMMON_SRC:%.c=build/$(1)/%.o) build/$(1)/libtsf.a
	$$(call say,LD,$$@)
	$$(Q)mkdir -p $$(@D) && $$(CC_$(1)) $$(BASE_LDFLAGS) $$(LDFLAGS_$(1)) $$(LDFLAGS) -o $$@ $$^ $$(TSF_LIBS)

$$(patsubst %.c,build/$(1)/%,$$(UNIT_SRC)): build/$(1)/%: build/$(1)/%.o $$(UNIT_SHARED_SRC:%.c=build/$(1)/%.o) build/$(1)/libtsf.a
	$$(call say,LD,$$@)
	$$(Q)$$(CC_$(1)) $$(BASE_LDFLAGS) $$(LDFLAGS_$(1)) $$(LDFLAGS) -o $$@ $$^ $$(TSF_LIBS) -lcmocka

$$(patsubst %.c,build/$(1)/%,$$(TOOL_SRC)): build/$(1)/%: build/$(1)/%.o build/$(1)/libtsf.a
	$$(call say,LD,$$@)
	$$(Q)$$(CC_$(1)) $$(BASE_LDFLAGS) $$(LDFLAGS_$(1)) $$(LDFLAGS) -o $$@ $$^ $$(TSF_LIBS)

build/$(1)/tests/replay/%: build/$(1)/tests/fuzz/%.o build/$(1)/tests/fuzz/replay_main.o build/$(1)/libtsf.a
	$$(call say,LD,$$@)
	$$(Q)mkdir -p $$(@D) && $$(CC_$(1)) $$(BASE_LDFLAGS) $$(LDFLAGS_$(1)) $$(LDFLAGS) -o $$@ $$^ $$(TSF_LIBS)

build/$(1)/%.o: %.c build/config.mk build/$(1)/flags
	$$(call say,CC,$$@)
	$$(Q)mkdir -p $$(@D) && $$(CC_$(1)) $$(CPPFLAGS) $$(BASE_CFLAGS) $$(CFLAGS_$(1)) $$(call isa,$$<) $$(TSF_CFLAGS) -c -o $$@ $$<

-include $$(wildcard build/$(1)/lib/*/*.d build/$(1)/cmd/*.d build/$(1)/cmd/common/*.d build/$(1)/tests/*/*.d)
endef
$(foreach v,$(VARIANTS),$(eval $(call VARIANT_RULES,$(v))))

build/fuzz/tests/fuzz/%: build/fuzz/tests/fuzz/%.o build/fuzz/libtsf.a
	$(call say,LD,$@)
	$(Q)$(CLANG) $(BASE_LDFLAGS) -fsanitize=fuzzer,address,undefined -o $@ $^ $(TSF_LIBS)

.SECONDARY:

# ---- checks ---------------------------------------------------------------------------------------
# tests/run.sh runs cases JOBS at a time, each in an empty directory of its own, and ends with the totals.

RUN = CI="$(CI)" PEERS="$(PEERS)" CONFORMANCE="$(abspath $(CONFORMANCE))" BUILD="$(CURDIR)/build/release" sh tests/run.sh -j $(JOBS)
SQL_CASES = $(sort $(if $(wildcard $(SQL)/.),$(shell find $(SQL) -name '*.test' -o -name '*.slt'),$(SQL)))
c_unit = $(patsubst %,unit:%,$(call units,$(1)))
c_cli = $(patsubst %,cli:%,$(sort $(wildcard tests/cli/*.bats)))
c_sql = $(if $(call tooldir,release,sql),$(patsubst %,sql:%,$(SQL_CASES)))
c_conf = $(patsubst %,conformance:%,$(call tooldir,release,conformance))
# other readers, for tests/interop; the shell runs once, when a recipe needs it
peers = $(eval PEERS := $(shell sh tests/interop/peers.sh build/peers/python))
c_interop = $(patsubst %,interop:%,$(sort $(wildcard tests/interop/*_test.sh tests/interop/*_test.py)))
c_fault = $(patsubst %,fault:%,$(sort $(wildcard tests/fault/*_test.sh)) $(filter %_test,$(call tooldir,release,fault)))
c_replay = $(patsubst %,replay:%,$(call replays,$(1)))
CHECK_BUILD = all $(call units,release) $(call tools,release) $(call replays,release)

check: $(CHECK_BUILD) ## check: every test; ends with "N passed, N failed, N skipped"
	$(peers)$(Q)$(RUN) $(c_fault) $(c_conf) $(c_interop) $(c_cli) $(c_sql) $(call c_replay,release) $(call c_unit,release)

check-unit: $(call units,release) ## check-unit: the C unit tests (UNIT=name picks some)
	$(Q)$(RUN) $(call c_unit,release)

check-cli: all $(call tools,release) ## check-cli: the programs from outside, with bats
	$(Q)$(RUN) $(c_cli)

check-sql: all $(call tooldir,release,sql) ## check-sql: sqllogictest files (SQL=file or folder)
	$(Q)$(RUN) $(c_sql)

check-sql-differential: all $(call tooldir,release,sql) ## check-sql-differential: do those files expect what PostgreSQL answers?
	$(Q)sh tests/sql/differential.sh

check-conformance: all $(call tooldir,release,conformance) ## check-conformance: other projects' files (CONFORMANCE=folder)
	$(Q)$(RUN) $(c_conf)

check-interop: all $(call tools,release) ## check-interop: other readers on our tables
	$(peers)$(Q)$(RUN) $(c_interop)

check-fault: all $(call tools,release) ## check-fault: kill -9, lost writes, failing stores
	$(Q)$(RUN) $(c_fault)

check-fuzz-replay: $(call replays,release) ## check-fuzz-replay: fuzz corpora through a plain main
	$(Q)$(RUN) $(call c_replay,release)

check-asan: $(call units,asan) $(call replays,asan) ## check-asan: unit tests and fuzz corpora under ASan and UBSan
	$(Q)$(subst build/release",build/asan",$(RUN)) $(call c_unit,asan) $(call c_replay,asan)

TSAN_UNITS = $(filter build/tsan/tests/unit/base_% build/tsan/tests/unit/cache_% build/tsan/tests/unit/wal_% \
        build/tsan/tests/unit/query_% build/tsan/tests/unit/parquet_write% build/tsan/tests/unit/ingest_run%,$(call units,tsan))
check-tsan: $(TSAN_UNITS) ## check-tsan: unit tests of the rooms with threads, under TSan
	$(Q)$(subst build/release",build/tsan",$(RUN)) $(patsubst %,unit:%,$(TSAN_UNITS))

fuzz: $(FUZZERS) ## fuzz: each libFuzzer target for FUZZ_SECONDS under ASan and UBSan
	$(Q)FUZZ_SECONDS=$(FUZZ_SECONDS) $(subst build/release",build/fuzz",$(RUN)) $(FUZZERS:%=fuzz:%)

lint: build/release/libtsf.a ## lint: layering, exported names, headers, banned calls, scripts, man pages
	$(Q)CC="$(CC)" CLANG="$(CLANG)" TSF_CFLAGS="$(TSF_CFLAGS)" sh tests/lint.sh

bench: all $(call tools,release) ## bench: timings beside DuckDB
	$(Q)BUILD="$(CURDIR)/build/release" BIN="$(CURDIR)/build/release/bin" tests/bench/run.sh $(BENCH)

demo: all $(call tooldir,release,bench) ## demo: logs and spans through the whole pipeline, with comments
	$(Q)BUILD="$(CURDIR)/build/release" BIN="$(CURDIR)/build/release/bin" PATH="$(CURDIR)/build/release/bin:$$PATH" tests/demo.sh

# ---- install --------------------------------------------------------------------------------------

MAN := $(sort $(wildcard man/*.[1-8]))
SCHEMAS := $(sort $(wildcard lib/table/schemas/*.sql))
D = $(DESTDIR)
BASHDIR = $(D)$(DATADIR)/bash-completion/completions
ZSHDIR = $(D)$(DATADIR)/zsh/site-functions
FISHDIR = $(D)$(DATADIR)/fish/vendor_completions.d

install: all ## install: programs, man pages, completions and schemas under DESTDIR PREFIX
	$(Q)install -d $(D)$(BINDIR) $(D)$(DATADIR)/tsf/schemas $(BASHDIR) $(ZSHDIR) $(FISHDIR)
	$(Q)for p in $(PROGRAMS); do install -m 755 build/release/bin/$$p $(D)$(BINDIR)/ || exit 1; done
	$(Q)for m in $(MAN); do s=man$${m##*.}; install -d $(D)$(MANDIR)/$$s && install -m 644 $$m $(D)$(MANDIR)/$$s/ || exit 1; done
	$(Q)for s in $(SCHEMAS); do install -m 644 $$s $(D)$(DATADIR)/tsf/schemas/ || exit 1; done
	$(Q)if [ -f completions/tsf.bash ]; then for p in $(PROGRAMS); do install -m 644 completions/tsf.bash $(BASHDIR)/$$p || exit 1; done; fi
	$(Q)if [ -f completions/_tsf ]; then install -m 644 completions/_tsf $(ZSHDIR)/_tsf; fi
	$(Q)if [ -f completions/tsf.fish ]; then for p in $(PROGRAMS); do install -m 644 completions/tsf.fish $(FISHDIR)/$$p.fish || exit 1; done; fi

uninstall: ## uninstall: remove what install put there
	$(Q)for p in $(PROGRAMS); do rm -f $(D)$(BINDIR)/$$p $(BASHDIR)/$$p $(FISHDIR)/$$p.fish; done
	$(Q)for m in $(notdir $(MAN)); do rm -f $(D)$(MANDIR)/man$${m##*.}/$$m; done
	$(Q)rm -rf $(D)$(DATADIR)/tsf $(ZSHDIR)/_tsf

clean: ## clean: remove build/
	$(Q)rm -rf build

FORCE:
.PHONY: FORCE all help deps asan check check-unit check-cli check-sql check-sql-differential check-conformance check-interop check-fault \
        check-fuzz-replay check-asan check-tsan fuzz lint bench demo install uninstall clean
