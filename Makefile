# Build, test and install ckpt. `make help` lists the targets; V=1 shows the commands.
#
# One makefile for every way of building: a variant is a folder, a compiler and some flags
# (see "variants"). What a target needs from the system is looked for, and installed where it is
# missing, by tests/setup.sh before anything is compiled, so nothing here probes at reading time.

ifeq ($(origin CC),default)
CC := gcc
endif
AR ?= ar
CLANG ?= clang
CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
DATADIR ?= $(PREFIX)/share
FUZZ_TIME ?= 60
SOAK_TIME ?= 3600

WARN := -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wvla
BASE := -std=c11 -D_GNU_SOURCE -DXXH_INLINE_ALL= -I/usr/include/postgresql $(WARN) \
	-MMD -MP $(CPPFLAGS)
LIBS := -lsqlite3 -lnettle -pthread
SAN := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all

lib := $(wildcard lib/*.c)
cli := $(wildcard cli/*.c)
unit := $(patsubst tests/%.c,%,$(wildcard tests/unit/test_*.c))
store := $(patsubst tests/%.c,%,$(wildcard tests/store/test_*.c))
fuzz := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
hostile := $(wildcard tests/hostile/*.c)
fuzz_help := tests/fuzz/visit.c tests/unit/made.c
unit_help := $(filter-out tests/unit/test_%,$(wildcard tests/unit/*.c))
store_help := $(filter-out tests/store/test_%,$(wildcard tests/store/*.c)) $(unit_help)
manuals := $(sort $(wildcard man/*.1 man/*.7))
scripts := $(wildcard tests/*.sh tests/*/*.sh .ci/run)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory
ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 2)
endif
# Several targets on one command line share folders: one after the other, as they stand there.
ifneq ($(word 2,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif

ifdef V
quiet =
else
quiet = @printf '  %-5s %s\n' $(1) $(subst $(CURDIR)/,,$(2));
endif

# ---- what the system must have ------------------------------------------------------------
level_demo := demo
level_check := check
level_check-pg := pg
level_asan := check
level_valgrind := valgrind
level_fuzz := fuzz
level_lint := lint
level_coverage := coverage
level_soak := check fuzz
level_bench := check
levels := $(sort $(foreach goal,$(MAKECMDGOALS),$(level_$(goal))))

.PHONY: setup FORCE
setup:
	@CC='$(CC)' tests/setup.sh $(or $(levels),-n build)
FORCE:

# Keep the words $(2) in file $(1); it becomes newer only when they change.
remember = @mkdir -p $(dir $(1)); printf '%s\n' '$(2)' | cmp -s - $(1) || printf '%s\n' '$(2)' >$(1)

# ---- variants -----------------------------------------------------------------------------
# $(1) folder  $(2) compiler  $(3) flags for compiling and linking  $(4) more for the fuzzers
define variant
$(1)/flags: FORCE | setup
	$$(call remember,$$@,$(2) $(BASE) $(3) $(LDFLAGS) $(LIBS))
$(1)/sources: FORCE
	$$(call remember,$$@,$(lib) $(cli))

$(1)/%.o: %.c $(1)/flags
	@mkdir -p $$(@D)
	$$(call quiet,CC,$$@)$(2) $(BASE) $(3) -c -o $$@ $$<
$(1)/tests/%.o: tests/%.c $(1)/flags
	@mkdir -p $$(@D)
	$$(call quiet,CC,$$@)$(2) $(BASE) $(3) -Ilib -Itests/unit -c -o $$@ $$<
$(1)/pages.o: build/pages.c $(1)/flags
	$$(call quiet,CC,$$@)$(2) $(BASE) $(3) -I. -Icli -c -o $$@ $$<

$(1)/libckpt.a: $(lib:%.c=$(1)/%.o) $(1)/sources
	$$(call quiet,AR,$$@)rm -f $$@; $(AR) rcs $$@ $$(filter %.o,$$^)
$(1)/ckpt: $(cli:%.c=$(1)/%.o) $(if $(wildcard man/embed.awk),$(1)/pages.o) $(1)/libckpt.a $(1)/sources
	$$(call quiet,LINK,$$@)$(2) $(3) $(LDFLAGS) -o $$@ $$(filter %.o %.a,$$^) $(LIBS)

$(unit:%=$(1)/%): $(1)/%: $(1)/tests/%.o $(unit_help:%.c=$(1)/%.o) $(1)/libckpt.a
	@mkdir -p $$(@D)
	$$(call quiet,LINK,$$@)$(2) $(3) $(LDFLAGS) -o $$@ $$^ $(LIBS) -lcjson -lm
$(store:%=$(1)/%): $(1)/%: $(1)/tests/%.o $(store_help:%.c=$(1)/%.o) $(1)/libckpt.a
	@mkdir -p $$(@D)
	$$(call quiet,LINK,$$@)$(2) $(3) $(LDFLAGS) -o $$@ $$^ $(LIBS) -lcjson -lm
$(fuzz:%=$(1)/replay/%): $(1)/replay/%: $(1)/tests/fuzz/fuzz_%.o $(1)/tests/fuzz/replay.o $(fuzz_help:%.c=$(1)/%.o) $(1)/libckpt.a
	@mkdir -p $$(@D)
	$$(call quiet,LINK,$$@)$(2) $(3) $(LDFLAGS) -o $$@ $$^ $(LIBS)
$(fuzz:%=$(1)/fuzzer/%): $(1)/fuzzer/%: $(1)/tests/fuzz/fuzz_%.o $(fuzz_help:%.c=$(1)/%.o) $(1)/libckpt.a
	@mkdir -p $$(@D)
	$$(call quiet,LINK,$$@)$(2) $(3) $(4) $(LDFLAGS) -o $$@ $$^ $(LIBS)
$(1)/hostile: $(hostile:%.c=$(1)/%.o) $(fuzz_help:%.c=$(1)/%.o) $(1)/libckpt.a
	$$(call quiet,LINK,$$@)$(2) $(3) $(LDFLAGS) -o $$@ $$^ $(LIBS)

.PHONY: $(1)-programs
$(1)-programs: $(1)/ckpt $(addprefix $(1)/,hostile $(unit) $(store) $(fuzz:%=replay/%))
-include $$(shell find $(1)/lib $(1)/cli $(1)/tests $(1)/pages.d -name '*.d' 2>/dev/null)
endef

$(eval $(call variant,build,$(CC),$(CFLAGS)))
$(eval $(call variant,build/asan,$(CC),$(SAN) -Werror -DCKPT_ASAN_ARENA))
$(eval $(call variant,build/gcc,gcc,-O2 -Werror))
$(eval $(call variant,build/clang,$(CLANG),-O2 -Werror))
$(eval $(call variant,build/failpoints,$(CC),-O2 -g -Werror -DCKPT_FAILPOINTS))
$(eval $(call variant,build/coverage,$(CC),-O0 -g --coverage))
$(eval $(call variant,build/fuzz,$(CLANG),$(SAN) -DCKPT_ASAN_ARENA -fsanitize=fuzzer-no-link,-fsanitize=fuzzer))
.SECONDARY:

build/pages.c: man/embed.awk $(manuals)
	@mkdir -p build
	$(call quiet,GEN,$@)awk -f man/embed.awk $(manuals) </dev/null >$@

# ---- targets ------------------------------------------------------------------------------
.PHONY: all demo check check-pg failpoints asan valgrind fuzz lint coverage bench soak docs \
	fixtures install uninstall dist clean help

all: build/ckpt ## build build/ckpt (what you get by `make` alone)

demo: build/ckpt fixtures ## build, then look at two real stores; nothing to prepare
	@tests/demo.sh

# The hostile stores are read under ASan and UBSan too.
check: build-programs fixtures $(if $(filter hostile,$(or $(SUITE),hostile)),build/asan/hostile build/asan/ckpt) $(if $(filter cli pg faults,$(or $(SUITE),pg)),build/failpoints/ckpt) ## every test; SUITE=name runs one, INTEROP=0 leaves LangGraph out
	@tests/run.sh $(SUITE)

check-pg: build/ckpt build/failpoints/ckpt fixtures ## the tests that need PostgreSQL, on a private server
	@tests/run.sh pg

failpoints: build/failpoints/ckpt ## build/failpoints/ckpt, which tests end at named places (lib/failpoint.h)

asan: build/asan-programs fixtures ## unit, store, fuzz and cli tests under ASan and UBSan
	@BUILD=build/asan tests/run.sh $(or $(SUITE),unit store fuzz cli)

valgrind: build-programs fixtures ## some commands and unit tests under valgrind
	@tests/run.sh valgrind

fuzz: $(fuzz:%=build/fuzz/fuzzer/%) ## each fuzzer for FUZZ_TIME seconds (60)
	@FUZZ_TIME=$(FUZZ_TIME) tests/fuzz.sh $(fuzz)

lint: build/gcc-programs build/clang-programs ## -Werror builds, clang-format, shellcheck, house rules
	shellcheck -e SC2317 $(scripts)
	tests/lint.sh
	clang-format --dry-run -Werror $(wildcard lib/*.[ch] cli/*.[ch] tests/*/*.[ch])

coverage: build/coverage-programs fixtures ## lines that the unit, store and cli tests reach
	@find build/coverage -name '*.gcda' -delete
	@status=0; BUILD=build/coverage tests/run.sh unit store cli || status=$$?; \
		gcovr --root . --object-directory build/coverage --filter lib/ --filter cli/ \
			build/coverage && exit $$status

bench: build/ckpt fixtures ## speed and memory against limits and other tools
	@tests/bench/run.sh

soak: build-programs fixtures build/asan/hostile build/asan/ckpt build/failpoints/ckpt $(fuzz:%=build/fuzz/fuzzer/%) ## rounds of everything for SOAK_TIME seconds (3600)
	@SOAK_TIME=$(SOAK_TIME) tests/soak.sh $(fuzz)

docs: build/ckpt ## write the generated parts of the manual pages and the completions
	@tests/docs.sh write

fixtures:
	@tests/fixtures/unpack.sh

install: build/ckpt ## install below PREFIX (/usr/local); DESTDIR for packagers
	install -d '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(MANDIR)/man1' '$(DESTDIR)$(MANDIR)/man7'
	install -m 755 build/ckpt '$(DESTDIR)$(BINDIR)/ckpt'
	for page in $(manuals); do \
		install -m 644 $$page '$(DESTDIR)$(MANDIR)'/man$${page##*.}/; \
	done
	install -D -m 644 completions/ckpt.bash '$(DESTDIR)$(DATADIR)/bash-completion/completions/ckpt'
	install -D -m 644 completions/_ckpt '$(DESTDIR)$(DATADIR)/zsh/site-functions/_ckpt'
	install -D -m 644 completions/ckpt.fish '$(DESTDIR)$(DATADIR)/fish/vendor_completions.d/ckpt.fish'

uninstall: ## remove what install put there
	rm -f '$(DESTDIR)$(BINDIR)/ckpt' $(foreach page,$(notdir $(manuals)),\
		'$(DESTDIR)$(MANDIR)/man$(lastword $(subst ., ,$(page)))/$(page)') \
		'$(DESTDIR)$(DATADIR)/bash-completion/completions/ckpt' \
		'$(DESTDIR)$(DATADIR)/zsh/site-functions/_ckpt' \
		'$(DESTDIR)$(DATADIR)/fish/vendor_completions.d/ckpt.fish'

dist: ## the committed tree as build/ckpt-VERSION.tar.gz
	@mkdir -p build
	@name=ckpt-$$(git describe --tags --always) && \
		git archive --format=tar.gz --prefix=$$name/ -o build/$$name.tar.gz HEAD && \
		echo build/$$name.tar.gz

clean: ## remove build/ and all that is in it
	rm -rf build

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
