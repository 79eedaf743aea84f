# The developer's interface. `make demo` shows the system, `make test` proves it.

.PHONY: demo test lint fmt doc bench profiles clean

# Everything in one process, on throw-away data and a bundled sample source. Ctrl-C stops it.
demo:
	cargo run --quiet -- demo

# Every test. What lacks a component is said at the end; REQUIRE_ALL=1 makes that a failure.
test:
	@rm -f target/skipped.txt
	cargo test --quiet --no-fail-fast
	@if [ -s target/skipped.txt ]; then echo "skipped for lack of a component:"; sort -u target/skipped.txt; fi

lint:
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings

fmt:
	cargo fmt

doc:
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --lib

# Ratios from interleaved runs; results belong into docs/performance.md with date and machine.
bench: export CHARTLY_LOG = warn
bench:
	cargo bench --bench ingest_store
	cargo bench --bench ingest_http
	cargo bench --bench end_to_end
	cargo bench --bench growth
	cargo bench --bench growth -- 1 keyed
	cargo bench --bench footprint
	cargo bench --bench gateway
	cargo bench --bench pipeline
	cargo bench --bench profiles
	cargo bench --bench memory
	cargo bench --bench fleet

# The profiles of the repository, as a user's own CI would check theirs.
profiles:
	cargo run --quiet -- profile validate profiles

clean:
	cargo clean
