# `make run` is all that one needs; the logic is in scripts/. Slow things are kept in ~/.cache/homelog.
.PHONY: run dev build test check fmt bench bench-peers bench-capacity bench-sources gen pictures clean
.DEFAULT_GOAL := run

run: ; @scripts/run $(ARGS)              # build and run Homelog, data in ~/.local/share/homelog; ARGS='--listen 0.0.0.0:3001'; DEMO=1 with a simulated home
dev: ; @scripts/dev $(ARGS)              # debug server and Vite with live reload, for work on the code
build: ; @scripts/build                  # the release binary with the dashboard in it
test: ; @scripts/test                    # every test: dashboard, workspace, black box, browser
check: ; @scripts/check                  # format, lints, docs, licences of dependencies
fmt: ; @scripts/fmt                      # format the Rust code
bench: ; @scripts/bench $(ARGS)          # measure; what is worth keeping goes to benches/RESULTS.md
bench-peers: ; @scripts/bench-fleet peers $(ARGS)  # measure ingest beside Telegraf on the same Kafka and InfluxDB
bench-capacity: ; @scripts/bench-fleet sustained $(ARGS)  # measure what each stage costs under a steady stream
bench-sources: ; @scripts/bench-sources $(ARGS)  # measure many sources in one collector
gen: ; @scripts/gen                      # write what is generated: TypeScript, JSON Schema, the example config
pictures: ; @scripts/pictures            # take the pictures of the README anew
clean: ; @scripts/clean                  # remove what was built here and in ~/.cache/homelog
