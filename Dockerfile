# docker build -t simplejwt .
# docker run -p 8000:8000 -v simplejwt-data:/data simplejwt
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --locked --release --package simplejwt-server

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --create-home --home-dir /data simplejwt
COPY --from=build /src/target/release/simplejwt /usr/local/bin/simplejwt
USER simplejwt
WORKDIR /data
VOLUME /data
ENV SIMPLEJWT_BIND=0.0.0.0:8000
EXPOSE 8000
STOPSIGNAL SIGTERM
ENTRYPOINT ["simplejwt"]
CMD ["quickstart", "--dir", "/data"]
