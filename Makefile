# The commands of the README; everything they need is Go, gcc, make and git.
GO ?= go
BIN := bin/turbokv

.PHONY: demo test bench bench-switch build p4 fuzz clean

# demo runs the main job: an embedded cluster, its load, a node that stops, its checks, one table.
# TRACE=file replays a cache trace as well (Twitter or CacheLib CSV).
demo: build
	$(BIN) demo $(if $(TRACE),--trace "$(TRACE)")

# test runs every test with the race detector.
test:
	$(GO) vet ./...
	$(GO) test -race -timeout 15m ./...
	cd bench && $(GO) vet ./... && $(GO) test ./...

# bench compares with etcd, and measures the pipeline, in one run.
bench: build
	cd bench && $(GO) run .

# bench-switch compares the built-in switch with simple_switch_grpc, where that is on PATH, and with
# reflectors, over veth pairs; it needs root. FLAGS=-quick only shows that it works, FLAGS=-h tells more.
bench-switch: build
	cd bench && $(GO) run ./switchbench $(FLAGS)

build:
	$(GO) build -o $(BIN) ./cmd/turbokv

# p4 recompiles the P4 program with the real p4c; needed only after a change of p4src.
p4:
	$(GO) generate ./p4src

# fuzz runs every fuzz target for FUZZTIME each.
FUZZTIME ?= 20s
fuzz:
	@for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "$$pkg $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
	  done; \
	done

clean:
	rm -rf bin turbokv-data
