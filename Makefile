# Makefile - builds, checks, installs and shows tagalong. `make help` lists the targets.

VERSION := 0.1.0
O ?= build
CC ?= gcc
PREFIX ?= /usr/local
DESTDIR ?=
CFLAGS ?= -O2 -g
SAN ?=
WERROR ?= $(if $(CI),-Werror)
V ?= 0
Q := $(if $(filter 1,$(V)),,@)

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wpointer-arith \
	-Wwrite-strings -Wformat=2 -Wvla -Wimplicit-fallthrough $(WERROR)
COMMON := -std=gnu11 -D_GNU_SOURCE -DTAGALONG_VERSION='"$(VERSION)"' -I. -I$(O) $(WARNINGS) \
	-ffile-prefix-map=$(CURDIR)=. -MMD -MP $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer)
SHIM_CFLAGS := $(COMMON) -fPIC -fvisibility=hidden -ftls-model=initial-exec -fno-stack-protector \
	-fno-plt -U_FORTIFY_SOURCE -DNDEBUG
# One call passes through a dozen files, so the linker optimises over all of them. The objects can be
# linked without as well, as the unit tests do. In one piece: what is written in assembler, the aliases
# of the loader's functions above all, has to stay with those who use it.
ifeq ($(SAN)$(findstring clang,$(CC)),)
SHIM_LTO := -flto=auto -flto-partition=one -ffat-lto-objects
SHIM_CFLAGS += $(SHIM_LTO)
# It would lose the versions of symbols that this one asks for.
$(O)/preload/old_dl.o: SHIM_CFLAGS += -fno-lto
endif
SHIM_LDFLAGS := -shared -Wl,-soname,libtagalong.so -Wl,-z,noexecstack -Wl,-z,relro -Wl,-z,defs \
	-Wl,--hash-style=gnu -Wl,--as-needed -Wl,-Bsymbolic-functions

PACKAGES := libprotobuf-c libcurl libuv sqlite3 zlib libzstd libdw libelf libunwind-generic yaml-0.1 libmicrohttpd
ifneq ($(filter-out deps help clean format format-check,$(or $(MAKECMDGOALS),all)),)
EXPORTER_CFLAGS = $(COMMON) -isystem $(O)/skeleton $(shell pkg-config --cflags $(PACKAGES))
EXPORTER_LIBS = $(shell pkg-config --libs $(PACKAGES)) -lpthread -lm
endif

# The probes in the kernel need clang, bpftool and libbpf; without one of them the rest is built.
EBPF ?= 1
EBPF_CLANG ?= clang
BPFTOOL ?= $(or $(shell command -v bpftool),/usr/sbin/bpftool)
ifeq ($(EBPF),1)
EBPF_LACKS := $(strip $(if $(filter x86_64,$(shell uname -m)),,x86-64) \
	$(shell command -v $(EBPF_CLANG) >/dev/null || echo clang) $(shell test -x $(BPFTOOL) || echo bpftool) \
	$(shell pkg-config --exists 'libbpf >= 1.0' || echo libbpf))
else
EBPF_LACKS := EBPF=1
endif
ifeq ($(EBPF_LACKS),)
PACKAGES += libbpf
# bpftool wants the maps before what refers to them.
EBPF_KERNEL := $(patsubst %.c,$(O)/%.o,ebpf/lifetime.bpf.c $(filter-out ebpf/lifetime.%,$(wildcard ebpf/*.bpf.c)))
EBPF_SKELETON := $(O)/skeleton/programs.skel.h
EBPF_SRC := $(filter-out %.bpf.c ebpf/without.c,$(wildcard ebpf/*.c))
else
EBPF_SRC := ebpf/without.c ebpf/names.c ebpf/table.c
endif
EBPF_OBJ := $(EBPF_SRC:%.c=$(O)/%.o)

SHIM_SRC := $(wildcard preload/*.c)
# These define libc's own names, so no test program may be linked with them.
SHIM_HOOKS := preload/hook.c preload/custom.c preload/vfork.c preload/deepbind.c preload/caller.c preload/seen_process.c preload/init.c preload/seen_libpq.c preload/seen_libpq_connect.c preload/libpq.c preload/pgcall.c preload/pgconnect.c
SHIM_OBJ := $(SHIM_SRC:%.c=$(O)/%.o)
SHIM_PURE := $(patsubst %.c,$(O)/%.o,$(filter-out $(SHIM_HOOKS),$(SHIM_SRC)))
PROTO := $(wildcard exporter/proto/*.proto)
PROTO_C := $(PROTO:%.proto=$(O)/%.pb-c.c)
PROTO_H := $(PROTO:%.proto=$(O)/%.pb-c.h)
EXPORTER_SRC := $(wildcard exporter/*.c)
EXPORTER_OBJ := $(EXPORTER_SRC:%.c=$(O)/%.o) $(PROTO_C:.c=.o)
EXPORTER_PURE := $(filter-out $(O)/exporter/main.o,$(EXPORTER_OBJ)) $(EBPF_OBJ)
# What several unit tests share: the files beside them that are no tests themselves.
UNIT_SHARED := $(patsubst %.c,$(O)/%.o,$(filter-out tests/unit/test_%,$(wildcard tests/unit/*.c)))
UNIT := $(patsubst tests/unit/%.c,$(O)/tests/unit/%,$(wildcard tests/unit/test_*.c))
FUZZ := $(patsubst tests/fuzz/%.c,$(O)/tests/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

.DELETE_ON_ERROR:
.SECONDARY:

all: $(O)/libtagalong.so $(O)/bridge.cjs $(O)/context.cjs $(O)/bridge.py $(O)/tagalong ## build the library and the program into build/

# Objects are rebuilt when the flags change.
FLAGS_NOW := $(CC) $(CFLAGS) $(SAN) $(WERROR) $(VERSION) $(EBPF_LACKS)
$(O)/flags: FORCE
	@mkdir -p $(O); echo '$(FLAGS_NOW)' | cmp -s - $@ || echo '$(FLAGS_NOW)' >$@
FORCE:

$(O)/preload/%.o: preload/%.c $(O)/flags
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$(Q)$(CC) $(CFLAGS) $(SHIM_CFLAGS) -c -o $@ $<

# The proposal for thread contexts wants this access to its variable; elsewhere it is the default.
ifeq ($(shell uname -m),x86_64)
$(O)/preload/published.o: SHIM_CFLAGS += -mtls-dialect=gnu2
endif

$(O)/libtagalong.so: $(SHIM_OBJ)
	@echo "  LD      $@"
	$(Q)$(CC) $(CFLAGS) $(SHIM_LTO) -ffile-prefix-map=$(CURDIR)=. $(if $(SAN),-fsanitize=$(SAN)) $(SHIM_LDFLAGS) -o $@ $^

# Node.js and CPython are made to run them from beside the library.
$(O)/%.cjs: preload/%.cjs
	@echo "  COPY    $<"
	$(Q)cp $< $@

$(O)/%.py: preload/%.py
	@echo "  COPY    $<"
	$(Q)cp $< $@

$(O)/exporter/proto/%.pb-c.c $(O)/exporter/proto/%.pb-c.h: exporter/proto/%.proto
	@mkdir -p $(@D)
	@echo "  PROTOC  $<"
	$(Q)protoc-c --c_out=$(O) $<

$(O)/exporter/proto/%.o: $(O)/exporter/proto/%.c $(PROTO_H) $(O)/flags
	@echo "  CC      $<"
	$(Q)$(CC) $(CFLAGS) $(EXPORTER_CFLAGS) -w -c -o $@ $<

$(O)/exporter/%.o: exporter/%.c $(O)/flags | $(PROTO_H)
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$(Q)$(CC) $(CFLAGS) $(EXPORTER_CFLAGS) -c -o $@ $<

# System calls by number, from the C library's header.
$(O)/ebpf/calls.inc: $(O)/flags
	@mkdir -p $(@D)
	@echo "  GEN     $@"
	$(Q)echo '#include <asm/unistd.h>' | $(CC) -E -dM - | \
		sed -n 's/^#define __NR_\([a-z0-9_]*\) \([0-9]*\)$$/CALL(\2, \1)/p' | LC_ALL=C sort >$@

$(O)/ebpf/%.bpf.o: ebpf/%.bpf.c $(O)/flags
	@mkdir -p $(@D)
	@echo "  BPF     $<"
	$(Q)$(EBPF_CLANG) -target bpf -D__TARGET_ARCH_x86 -O2 -g $(WERROR) -Wall -I. \
		-I/usr/include/$(shell $(CC) -print-multiarch) -ffile-prefix-map=$(CURDIR)=. -MMD -MP -c -o $@ $<

$(EBPF_SKELETON): $(EBPF_KERNEL)
	@mkdir -p $(@D)
	@echo "  SKEL    $@"
	$(Q)$(BPFTOOL) gen object $(O)/skeleton/programs.o $^
	$(Q){ echo '/* NOLINTBEGIN: generated */'; $(BPFTOOL) gen skeleton $(O)/skeleton/programs.o name programs; \
		echo '/* NOLINTEND */'; } >$@

$(O)/ebpf/%.o: ebpf/%.c $(O)/flags $(O)/ebpf/calls.inc $(EBPF_SKELETON)
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$(Q)$(CC) $(CFLAGS) $(EXPORTER_CFLAGS) -c -o $@ $<

$(O)/tagalong: $(EXPORTER_OBJ) $(EBPF_OBJ)
	@echo "  LD      $@$(if $(EBPF_LACKS), (without eBPF: that needs $(EBPF_LACKS)))"
	$(Q)$(CC) $(CFLAGS) $(if $(SAN),-fsanitize=$(SAN)) -o $@ $^ $(EXPORTER_LIBS)

$(O)/preload.a: $(SHIM_PURE)
	$(Q)rm -f $@; ar rcs $@ $^

$(O)/exporter.a: $(EXPORTER_PURE)
	$(Q)rm -f $@; ar rcs $@ $^

$(O)/tests/unit/%.o: tests/unit/%.c $(O)/flags
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$(Q)$(CC) $(CFLAGS) $(EXPORTER_CFLAGS) -c -o $@ $<

$(O)/tests/unit.a: $(UNIT_SHARED)
	$(Q)rm -f $@; ar rcs $@ $^

$(O)/tests/unit/%: tests/unit/%.c $(O)/tests/unit.a $(O)/preload.a $(O)/exporter.a
	@mkdir -p $(@D)
	@echo "  TEST    $<"
	$(Q)$(CC) $(CFLAGS) $(EXPORTER_CFLAGS) -o $@ $(filter %.c %.a,$^) -lcmocka $(EXPORTER_LIBS)

unit: $(UNIT) ## run the unit tests alone
	@set -e; for t in $(UNIT); do echo "  RUN     $$t"; $$t; done

# What the end-to-end tests and the benchmarks run besides the system's programs.
E2E_C := $(patsubst tests/e2e/%.c,$(O)/tests/e2e/%,$(wildcard tests/e2e/*.c))
BENCH_C := $(patsubst tests/bench/%.c,$(O)/tests/bench/%,$(wildcard tests/bench/*.c))
# Unit tests that measure as well, if they are asked to.
BENCH_UNIT := $(O)/tests/unit/test_routes_learning
E2E_LIBS_libpq_client := -lpq
E2E_LIBS_libpq_loop := -lpq
E2E_LIBS_slow_disk := -lfuse3
E2E_LIBS_gnutls_client := -lgnutls
# Front services on the event loops of C and C++, for the accuracy suite.
LOOPS := $(addprefix $(O)/tests/accuracy/front_,libevent libuv libev asio)
LOOP_LIBS_libevent := -levent
LOOP_LIBS_libuv := -luv
LOOP_LIBS_libev := -lev
PEERS := $(O)/node/installed $(O)/otel/installed $(O)/tests/java/Front.class $(O)/tests/java/Kinds.class $(E2E_C) $(LOOPS)

$(O)/tests/e2e/%: tests/e2e/%.c $(O)/flags
	@mkdir -p $(@D)
	@echo "  TEST    $<"
	$(Q)$(CC) $(CFLAGS) $(COMMON) -o $@ $< $(E2E_LIBS_$*) -lpthread

$(O)/tests/accuracy/loop_front.o: tests/accuracy/programs/loop_front.c tests/accuracy/programs/loop.h $(O)/flags
	@mkdir -p $(@D)
	@echo "  TEST    $<"
	$(Q)$(CC) $(CFLAGS) $(COMMON) -c -o $@ $<

$(O)/tests/accuracy/front_asio: tests/accuracy/programs/front_asio.cc $(O)/tests/accuracy/loop_front.o
	@echo "  TEST    $<"
	$(Q)$(CXX) $(CFLAGS) -std=gnu++17 -o $@ $^ -lpthread

$(O)/tests/accuracy/front_%: tests/accuracy/programs/front_%.c $(O)/tests/accuracy/loop_front.o
	@echo "  TEST    $<"
	$(Q)$(CC) $(CFLAGS) $(COMMON) -o $@ $^ $(LOOP_LIBS_$*)

$(O)/tests/bench/%: tests/bench/%.c $(O)/flags
	@mkdir -p $(@D)
	@echo "  TEST    $<"
	$(Q)$(CC) $(CFLAGS) $(COMMON) -o $@ $< -lpthread

# These use the exporter from within, or write as a process does.
$(addprefix $(O)/tests/bench/,stages flood replay): $(O)/tests/bench/%: tests/bench/%.c $(O)/tests/unit.a $(O)/preload.a $(O)/exporter.a
	@mkdir -p $(@D)
	@echo "  TEST    $<"
	$(Q)$(CC) $(CFLAGS) $(EXPORTER_CFLAGS) -o $@ $(filter %.c %.a,$^) $(EXPORTER_LIBS)

$(O)/node/installed: tests/e2e/node/package.json tests/e2e/node/package-lock.json
	@mkdir -p $(@D)
	@echo "  NPM     $<"
	$(Q)cp $^ $(@D)/ && cd $(@D) && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error
	@touch $@

# The language agent that accuracy is compared with.
$(O)/otel/installed: tests/accuracy/node/package.json tests/accuracy/node/package-lock.json
	@mkdir -p $(@D)
	@echo "  NPM     $<"
	$(Q)cp $^ $(@D)/ && cd $(@D) && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error
	@touch $@

$(O)/tests/java/%.class: tests/e2e/programs/%.java
	@mkdir -p $(@D)
	@echo "  JAVAC   $<"
	$(Q)javac -d $(@D) $<

$(O)/tests/java/%.class: tests/accuracy/programs/%.java
	@mkdir -p $(@D)
	@echo "  JAVAC   $<"
	$(Q)javac -d $(@D) $<

# A fuzz target is built with the sanitizers from the sources that it tests; name them here.
FUZZ_CC ?= clang
FUZZ_SECONDS ?= 60
FUZZ_fuzz_http1 := preload/http1.c preload/http1_body.c preload/http1_detect.c preload/mask.c
FUZZ_fuzz_fastcgi := preload/fastcgi.c preload/fastcgi_records.c
FUZZ_fuzz_secret := preload/secret.c preload/secret_find.c
FUZZ_fuzz_tracecontext := preload/tracecontext.c preload/b3.c
FUZZ_fuzz_sql_mask := $(addprefix preload/sql_,mask.c token.c word.c comment.c fold.c)
FUZZ_fuzz_resp := $(wildcard preload/resp*.c) preload/wire_text.c tests/fuzz/transcript.c
FUZZ_fuzz_memcached := $(wildcard preload/memcached*.c) preload/wire_text.c tests/fuzz/transcript.c
FUZZ_fuzz_sql_summary := exporter/sql_summary.c
FUZZ_fuzz_stream := $(filter-out $(SHIM_HOOKS) preload/seen_% preload/tls_copy.c,$(SHIM_SRC))
FUZZ_fuzz_accept := exporter/prometheus_accept.c
FUZZ_WIRE := tests/fuzz/wire_target.c tests/unit/wire_log.c
FUZZ_fuzz_pgwire := $(FUZZ_WIRE) $(filter preload/pgwire%,$(SHIM_SRC))
FUZZ_fuzz_mysql := $(FUZZ_WIRE) $(filter preload/mysql%,$(SHIM_SRC))
FUZZ_fuzz_config := exporter/config.c exporter/config_yaml.c exporter/config_value.c exporter/arena.c
FUZZ_LIBS_fuzz_config := -lyaml
FUZZ_fuzz_routes := $(wildcard exporter/routes*.c exporter/config*.c) $(addprefix exporter/,arena.c env.c log.c text.c)
FUZZ_LIBS_fuzz_routes := -lyaml
FUZZ_fuzz_answer = $(addprefix exporter/,arena.c grpc.c json.c json_read.c otlp_json.c payload.c spool_record.c text.c) $(PROTO_C)
FUZZ_LIBS_fuzz_answer := -lprotobuf-c -lz -lm
FUZZ_fuzz_segment := $(addprefix exporter/,address.c arena.c attribute.c batch.c enrich.c enrich_db.c enrich_tls.c env.c failure.c \
	host.c json.c log.c record.c resource.c ring.c sql_summary.c statement.c text.c uuid.c)

.SECONDEXPANSION:
$(O)/tests/fuzz/%: tests/fuzz/%.c $$(FUZZ_$$*) $(wildcard preload/*.h exporter/*.h tests/*/*.h) $(O)/flags
	@mkdir -p $(@D)
	@echo "  FUZZ    $<"
	$(Q)$(FUZZ_CC) -g -O1 $(filter-out -M%,$(COMMON)) -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=all -o $@ $(filter %.c,$^) $(FUZZ_LIBS_$*)

fuzz: $(FUZZ) ## fuzz for FUZZ_SECONDS=60 in all; what is found stays below build/
	@set -e; for t in $(FUZZ); do echo "  RUN     $$t"; mkdir -p $$t.corpus; \
	$$t -max_total_time=$$(($(FUZZ_SECONDS) / $(words $(FUZZ)))) -max_len=8192 -timeout=10 -print_final_stats=1 \
		-artifact_prefix=$$t- $$t.corpus tests/fuzz/corpus/$${t##*/} >$$t.log 2>&1 || \
		{ tail -n 40 $$t.log; exit 1; }; \
	sed -n 's/^stat::number_of_executed_units: */          runs: /p' $$t.log; done

symbols: $(O)/libtagalong.so ## compare the library's exports with hooks.def, check what it needs
	@tests/symbols.sh $<

# What nobody wrote by hand is not formatted: the files that git ignores.
FORMATTED = $(shell git ls-files --cached --others --exclude-standard -- '*.c' '*.h')

lint: $(PROTO_H) $(O)/ebpf/calls.inc $(EBPF_SKELETON) ## clang-tidy, cppcheck, shellcheck, sizes and first lines of files
	@tests/lint.sh 2 $(filter-out -M% -W% -f%,$(EXPORTER_CFLAGS))

format: ## rewrite the C files as .clang-format says
	clang-format -i $(FORMATTED)

format-check: ## fail if `make format` would change a file
	@clang-format --dry-run -Werror $(FORMATTED)

deps: ## install every Debian package that a target here needs
	@tests/deps.sh build demo test bench

demo: ## install what is missing, build, and show real traces
	@tests/deps.sh build demo
	@$(MAKE) --no-print-directory all
	@examples/shop/demo.sh $(O)

test: ## install what is missing, build, run the unit and end-to-end tests
	@tests/deps.sh build test
	@$(MAKE) --no-print-directory -j2 all symbols $(UNIT) $(PEERS)
	@/usr/bin/python3 tests/run.py $(O) $(UNIT)

check: ## all tests, the long ones too, lint, and 60 s of fuzzing
	@tests/deps.sh build test lint
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory fuzz
	@TAGALONG_LONG=1 $(MAKE) --no-print-directory test

bench: ## measure overhead and accuracy, side by side with the bare programs
	@tests/deps.sh build test bench
	@$(MAKE) --no-print-directory -j2 all $(PEERS) $(BENCH_C) $(BENCH_UNIT)
	@/usr/bin/python3 tests/bench/bench.py $(O)

install: all ## install into PREFIX, below DESTDIR
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/tagalong
	install -m 755 $(O)/tagalong $(DESTDIR)$(PREFIX)/bin/tagalong
	install -m 644 $(O)/libtagalong.so $(DESTDIR)$(PREFIX)/lib/tagalong/libtagalong.so
	install -m 644 $(O)/bridge.cjs $(O)/context.cjs $(O)/bridge.py $(DESTDIR)$(PREFIX)/lib/tagalong/

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(PREFIX)/bin/tagalong $(addprefix $(DESTDIR)$(PREFIX)/lib/tagalong/,libtagalong.so bridge.cjs context.cjs bridge.py)
	-rmdir $(DESTDIR)$(PREFIX)/lib/tagalong 2>/dev/null

clean: ## remove build/
	rm -rf $(O)

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

.PHONY: all unit fuzz symbols lint format format-check deps demo test check bench install uninstall clean help FORCE
-include $(wildcard $(O)/*/*.d $(O)/*/*/*.d)
