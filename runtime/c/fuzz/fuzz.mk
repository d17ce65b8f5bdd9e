# Fuzzing, for runtime/c/Makefile. The targets fuzz/fuzz_NAME.c, their corpora fuzz/corpus/NAME.
#
#   make fuzz MINUTES=60 [TARGET=master]     clang's libFuzzer with ASan and UBSan: each target that long; what it finds is in build/fuzz
#   make fuzz-replay SECONDS=2 SEED=1        without clang: the corpora, then mutations of them, under the same sanitizers
#
# PYTHON must have what the compiler needs: it compiles fuzz/values.ms. The network of the targets is fuzz/fake_net.c: its objects come before the archives, whose net/socket.o and net/poll.o nobody asks for then.

# Encryption is fuzzed where there is some.
FUZZ_LEFT_OUT := $(if $(SODIUM),,secure)
FUZZ_ALL := $(filter-out $(FUZZ_LEFT_OUT),$(patsubst fuzz/fuzz_%.c,%,$(wildcard fuzz/fuzz_*.c)))
TARGET ?= $(FUZZ_ALL)
FUZZ_WANTED := $(filter-out $(FUZZ_LEFT_OUT),$(TARGET))
MINUTES ?= 60
SECONDS ?= 2
SEED ?= 1
FUZZ_BUILD := build/fuzz
FUZZ_WRAP := -Wl,--wrap=close,--wrap=poll,--wrap=clock_gettime,--wrap=kill,--wrap=_exit,--wrap=ms_executor_settle
FUZZ_LEAN := -fno-optimize-sibling-calls

PYTHON ?= python3

# Which runtime a target is linked with, and which program: jobs by hand, or compiled ones.
fuzz_archive = $(BUILD)/libms$(if $(filter slave values,$(1)),slave,master).a
fuzz_program = $(patsubst %,$(BUILD)/%.o,$(if $(filter values,$(1)),fuzz/values fuzz/values_places,tests/program tests/jobs_program))
define fuzz_rule
$(BUILD)/fuzz_$(1): $(BUILD)/fuzz/fuzz_$(1).o $(BUILD)/fuzz/fake_net.o $(FUZZ_MAIN) $(call fuzz_program,$(1)) $(call fuzz_archive,$(1))
	$$(CC) $$(ALL_LDFLAGS) $$(FUZZ_LINK) $$(FUZZ_WRAP) $$^ $$(LDLIBS) -o $$@
endef

ifeq ($(FUZZING),)
fuzz fuzz-replay: $(addprefix fuzz-without-,$(FUZZ_LEFT_OUT))
fuzz-without-%:
	@echo "$*: left out, there is no libsodium to build with"

fuzz:
	@$(MAKE) -s CC=clang FUZZING=libfuzzer SANITIZE=address,undefined BUILD=$(FUZZ_BUILD)/clang OPTIMIZE=-O1 CFLAGS="-fsanitize=fuzzer-no-link" fuzz-run

fuzz-replay: fuzz-replay-build
	@for name in $(FUZZ_WANTED); do printf '%s: ' $$name; $(FUZZ_BUILD)/replay/fuzz_$$name --seconds $(SECONDS) --seed $(SEED) \
	    --crash $(FUZZ_BUILD)/$$name-crash fuzz/corpus/$$name || exit 1; done

fuzz-replay-build:
	@$(MAKE) -s FUZZING=standalone SANITIZE=address,undefined BUILD=$(FUZZ_BUILD)/replay OPTIMIZE=-O1 fuzz-build
else
$(BUILD)/fuzz/values.o $(BUILD)/fuzz/values_places.o &: fuzz/values.ms
	@mkdir -p $(BUILD)/fuzz
	$(PYTHON) ../../tests/program_objects.py $< $(BUILD)/fuzz/values.o $(BUILD)/fuzz/values_places.o
$(BUILD)/tests/jobs_program.o: ALL_CFLAGS += -Wno-unused-function
$(BUILD)/fuzz/%.o: ALL_CFLAGS += $(FUZZ_LEAN)
ifeq ($(FUZZING),libfuzzer)
FUZZ_LINK := -fsanitize=fuzzer
else
FUZZ_MAIN := $(BUILD)/fuzz/standalone.o
endif
$(foreach name,$(FUZZ_ALL),$(eval $(call fuzz_rule,$(name))))
FUZZ_PROGRAMS := $(FUZZ_WANTED:%=$(BUILD)/fuzz_%)

fuzz-run: fuzz-build
	@for name in $(FUZZ_WANTED); do \
	    mkdir -p $(FUZZ_BUILD)/found/$$name && \
	    $(BUILD)/fuzz_$$name -max_total_time=$$(($(MINUTES) * 60)) -seed=$(SEED) -max_len=4096 -timeout=20 -print_final_stats=1 \
	        -artifact_prefix=$(FUZZ_BUILD)/$$name- $(FUZZ_BUILD)/found/$$name fuzz/corpus/$$name || exit 1; \
	done

fuzz-build: $(FUZZ_PROGRAMS)
endif

.PHONY: fuzz fuzz-replay fuzz-replay-build fuzz-run fuzz-build
