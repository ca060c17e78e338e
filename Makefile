# The front door. Meson and Ninja do the work; `make help` lists what there is.
BUILD  ?= build
PREFIX ?= /usr/local
MESON  ?= meson

.DEFAULT_GOAL := all
.PHONY: all test demo parity conformance fuzz fresh arm64 bench style install clean help

help: ## this list
	@sed -n 's/^\([a-z0-9]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

$(BUILD)/build.ninja:
	@scripts/setup
	$(MESON) setup --prefix='$(PREFIX)' $(MESON_OPTIONS) $(BUILD)

all: $(BUILD)/build.ninja ## build/layertap, build/liblayertap.so, build/liblayertap.a
	@ninja -C $(BUILD)
	@for file in cli/layertap src/liblayertap.so src/liblayertap.a; do \
	    ln -sf $$file $(BUILD)/; done

test: all ## the test suite
	$(MESON) test -C $(BUILD) --no-rebuild --print-errorlogs

demo: all ## features of the embedded model from a picture, into demo/
	@scripts/demo $(BUILD)

parity: all ## every layer of torchvision's networks, and preprocessing, against PyTorch and Pillow
	scripts/parity $(BUILD)
	scripts/parity-preprocess $(BUILD)
	scripts/check-io $(BUILD)/tests/io/copy_arrays

conformance: all ## ONNX's own test data (SHARED_DATA=FOLDER: what is newer in there as well)
	scripts/conformance $(BUILD)

fuzz: ## libFuzzer targets, FUZZ_SECONDS each (60)
	scripts/fuzz $(FUZZ_SECONDS)

fresh: ## the README's commands in a minimal Debian 12
	scripts/fresh

arm64: ## the test suite on arm64, by cross compiler and qemu, in build-arm64/
	scripts/arm64

bench: all ## how long the embedded model takes; beside other engines where Python has them
	scripts/bench $(BUILD)

style: ## what docs and code promise about their form
	scripts/style/format
	scripts/style/layers
	scripts/style/sizes
	scripts/style/words

install: all ## headers, libraries, tool, pkg-config, CMake, man page, completions (PREFIX, DESTDIR)
	$(MESON) configure $(BUILD) --prefix='$(PREFIX)'
	$(MESON) install -C $(BUILD)

clean: ## removes build/ and demo/
	rm -rf $(BUILD) demo
