# Short names for what meson, ninja and the scripts in tools/ do.
BUILD ?= build
FUZZ_SECONDS ?= 60

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet

$(BUILD)/build.ninja:
	@tools/setup build
	@meson setup $(BUILD) >/dev/null

setup:
	@tools/setup

demo:
	@tools/setup demo
	@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) examples/demo.sh

test:
	@tools/setup test
	@$(MAKE) --no-print-directory all
	@tests/run --build $(BUILD) $(WORDS)

test-long:
	@CLARY_LONG=1 $(MAKE) --no-print-directory test

check:
	@tools/setup
	@$(MAKE) --no-print-directory all
	@tools/check --build $(BUILD) $(CHECKS)

format:
	@clang-format -i $$(git ls-files '*.c' '*.h')

sanitize:
	@tools/sanitize $(WORDS)

fuzz:
	@tools/fuzz $(FUZZ_SECONDS) $(WORDS)

bench:
	@tools/setup bench
	@$(MAKE) --no-print-directory all
	@tools/bench --build $(BUILD) $(if $(SAVE),--save) $(BENCH)

install: all
	@meson install -C $(BUILD) --no-rebuild

# What was fetched or is slow to make stays: venv, venv-bench, duckdb, bench-data.
clean:
	@rm -rf build-*
	@find $(BUILD) -mindepth 1 -maxdepth 1 ! -name 'venv*' ! -name duckdb ! -name bench-data -exec rm -rf {} + 2>/dev/null || true

.PHONY: all setup demo test test-long check format sanitize fuzz bench install clean
