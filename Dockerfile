# syntax=docker/dockerfile:1.7
# One file, two small images: the control plane (the default target) and the drone (--target drone).
#
#   docker build -t chartly:local .
#   docker build -t chartly-drone:local --target drone .
#   docker buildx build --platform linux/amd64,linux/arm64 -t registry.example.org/chartly:0.1.0 .
#
# Reproducible: locked dependencies, no paths and no time of the build in the programs. Pin the base images by digest
# (--build-arg RUST_IMAGE=rust:1.95-bookworm@sha256:…) and pass SOURCE_DATE_EPOCH, and the layers are the same too.

ARG RUST_IMAGE=rust:1.95-bookworm
ARG NODE_IMAGE=node:22-bookworm-slim
ARG BASE_IMAGE=gcr.io/distroless/base-nossl-debian12:nonroot

# --- the web page, where there is one: without ui/ this stage hands on an empty folder ---
FROM --platform=$BUILDPLATFORM ${NODE_IMAGE} AS ui
WORKDIR /ui
# The licence is always there, so that the pattern behind it may match nothing.
COPY LICENSE-MIT ui* ./
RUN mkdir -p dist \
    && if [ -f package.json ]; then npm ci --no-audit --no-fund && npm run build; fi

# --- the programs, for the target's processor on the builder's own ---
FROM --platform=$BUILDPLATFORM ${RUST_IMAGE} AS build
ARG BUILDARCH=amd64
ARG TARGETARCH=amd64
ARG SOURCE_DATE_EPOCH=0
ENV CARGO_TERM_COLOR=never \
    CARGO_INCREMENTAL=0 \
    RUSTFLAGS="--remap-path-prefix=/build=. --remap-path-prefix=/usr/local/cargo=cargo"
WORKDIR /build
# target.sh sets what depends on the processor. The cross compiler is Debian's own of the image's release.
# hadolint ignore=DL3008
RUN set -eu; \
    case "$TARGETARCH" in \
      amd64) triple=x86_64-unknown-linux-gnu; upper=X86_64_UNKNOWN_LINUX_GNU; gnu=x86_64-linux-gnu ;; \
      arm64) triple=aarch64-unknown-linux-gnu; upper=AARCH64_UNKNOWN_LINUX_GNU; gnu=aarch64-linux-gnu ;; \
      *) echo "TARGETARCH is $TARGETARCH; expected amd64 or arm64" >&2; exit 1 ;; \
    esac; \
    if [ "$TARGETARCH" != "$BUILDARCH" ]; then \
      apt-get update; \
      apt-get install -y --no-install-recommends "crossbuild-essential-$TARGETARCH"; \
      rm -rf /var/lib/apt/lists/*; \
      rustup target add "$triple"; \
    fi; \
    printf 'export TRIPLE=%s GCC=%s-gcc TARGET_CC=%s-gcc CARGO_TARGET_%s_LINKER=%s-gcc\n' \
      "$triple" "$gnu" "$gnu" "$upper" "$gnu" > /target.sh
# Dependencies first, with empty programs: this layer is built anew only when they change.
COPY Cargo.toml Cargo.lock ./
RUN set -eu; \
    . /target.sh; \
    cp Cargo.toml Cargo.toml.whole; \
    sed -i '/^\[\[test\]\]/,/^$/d; /^\[\[bench\]\]/,/^$/d' Cargo.toml; \
    mkdir -p src/bin; \
    touch src/lib.rs; \
    for name in chartly chartly-drone; do echo 'fn main() {}' > "src/bin/$name.rs"; done; \
    cargo build --locked --release --lib --bins --target "$TRIPLE"; \
    rm -r src; \
    mv Cargo.toml.whole Cargo.toml
COPY src src
COPY config config
COPY migrations migrations
COPY --from=ui /ui/dist ui/dist
RUN set -eu; \
    . /target.sh; \
    sed -i '/^\[\[test\]\]/,/^$/d; /^\[\[bench\]\]/,/^$/d' Cargo.toml; \
    find src -name '*.rs' -exec touch {} +; \
    cargo build --locked --release --bins --target "$TRIPLE"; \
    mkdir -p /out/bin /out/lib /out/data; \
    cp "target/$TRIPLE/release/chartly" "target/$TRIPLE/release/chartly-drone" /out/bin/; \
    cp -L "$("$GCC" -print-file-name=libgcc_s.so.1)" /out/lib/

# --- what both images share ---
FROM ${BASE_IMAGE} AS base
COPY --from=build /out/lib/ /usr/lib/
# The folder of the volume belongs to the user, so that a new volume does too.
COPY --from=build --chown=65532:65532 /out/data /app/data
COPY LICENSE-MIT LICENSE-APACHE /usr/share/doc/chartly/
COPY config /app/config
WORKDIR /app
USER 65532:65532
VOLUME ["/app/data"]
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.source="https://github.com/chartly/chartly" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"

# --- the worker ---
FROM base AS drone
COPY --from=build /out/bin/chartly-drone /usr/local/bin/chartly-drone
# A drone that has read gives its memory back at once (docs/performance.md).
ENV CHARTLY_LOG_JSON=true \
    MALLOC_TRIM_THRESHOLD_=131072 \
    MALLOC_MMAP_THRESHOLD_=131072
LABEL org.opencontainers.image.title="chartly-drone" \
      org.opencontainers.image.description="Fetches the sources that a Chartly control plane assigns"
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s --retries=3 \
  CMD ["/usr/local/bin/chartly-drone", "--health"]
ENTRYPOINT ["/usr/local/bin/chartly-drone"]
CMD ["--data-dir", "/app/data"]

# --- the control plane: all roles, or those that CHARTLY__NODE__ROLES names ---
FROM base AS control
COPY --from=build /out/bin/chartly /usr/local/bin/chartly
COPY profiles /app/profiles
# Inside a container only the container's own network is reached.
ENV CHARTLY_LOG_JSON=true \
    CHARTLY__HTTP__HOST=0.0.0.0
EXPOSE 8090 8091 8092 8093 8094
LABEL org.opencontainers.image.title="chartly" \
      org.opencontainers.image.description="HTTP data sources as joinable, deduplicated records"
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
  CMD ["/usr/local/bin/chartly", "health"]
ENTRYPOINT ["/usr/local/bin/chartly"]
CMD ["serve"]
