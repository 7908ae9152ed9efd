# docker build -t simplejwt .
# docker run -p 8000:8000 -v simplejwt-data:/data simplejwt
FROM rust:1.95-slim-bookworm AS manifests
WORKDIR /src
COPY . .
# What says which dependencies there are, and of each crate just enough to be compiled.
RUN find . -type f ! -name Cargo.toml ! -name Cargo.lock ! -path './.cargo/*' -delete \
    && sed -i '/^\[\[\(bench\|example\|test\)\]\]/,/^$/d' crates/*/Cargo.toml \
    && for crate in crates/* xtask; do \
        mkdir -p "$crate/src" && touch "$crate/src/lib.rs" && echo 'fn main() {}' > "$crate/src/main.rs"; \
    done

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
# The dependencies: a layer that stays until a manifest changes.
COPY --from=manifests /src .
RUN cargo build --locked --profile dist --package simplejwt-server \
    && rm -r crates xtask
COPY . .
# Cargo goes by the time of a file, and the sources may be older than what was compiled above.
RUN find crates -name '*.rs' -exec touch {} + \
    && cargo build --locked --profile dist --package simplejwt-server

FROM debian:bookworm-slim
# Authorities for JWK_URL and for databases with sslrootcert=system.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home --home-dir /data simplejwt
COPY --from=build /src/target/dist/simplejwt /usr/local/bin/simplejwt
USER 10001
WORKDIR /data
VOLUME /data
ENV SIMPLEJWT_BIND=0.0.0.0:8000
EXPOSE 8000
STOPSIGNAL SIGTERM
# As long as the server waits for its database (60 s) it isn't unhealthy.
HEALTHCHECK --interval=10s --timeout=8s --start-period=70s --retries=3 CMD ["simplejwt", "health"]
ENTRYPOINT ["simplejwt"]
CMD ["quickstart", "--dir", "/data"]
