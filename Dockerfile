# The worker alone, on distroless: no shell, no package manager, no root, nothing of feature `dev`.
#
#   make image                                        # with docker or buildah, whichever is there
#   docker build -t longshore --platform linux/arm64 .                                                                       # untested
#
# The base images stand here by tag, which their makers move on to what is mended. By digest they are one image for good, and the same source
# makes the same binary again. Ask for the digest (the line `Digest:`, which is that of all platforms), and give it:
#
#   docker buildx imagetools inspect docker.io/library/rust:1.95-bookworm
#   docker buildx imagetools inspect gcr.io/distroless/base-nossl-debian12:nonroot
#   make image BUILDER=docker.io/library/rust@sha256:... RUNTIME=gcr.io/distroless/base-nossl-debian12@sha256:...
ARG BUILDER=docker.io/library/rust:1.95-bookworm
ARG RUNTIME=gcr.io/distroless/base-nossl-debian12:nonroot

FROM ${BUILDER} AS builder
WORKDIR /build
# No path of this build and no time of it gets into the binary, and of TLS what Cargo.lock names, whatever the builder has installed.
ENV CARGO_INCREMENTAL=0 \
    AWS_LC_SYS_USE_SYSTEM=0 \
    SOURCE_DATE_EPOCH=0 \
    RUSTFLAGS="--remap-path-prefix=/build=. --remap-path-prefix=/usr/local/cargo=/cargo"

# The dependencies, in a layer that only changes with them: the crate itself is an empty program here.
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src benches/instructions benches/unload \
    && touch src/lib.rs \
    && for program in src/main.rs benches/stages.rs benches/instructions/main.rs benches/unload/main.rs; do echo 'fn main() {}' > "$program"; done \
    && cargo build --locked --profile dist --no-default-features --features edit,grpc,srv \
    && rm -r src

# The schema of the configuration says what the documented file says.
COPY config/longshore.toml config/
COPY src src
# Cargo goes by the time of a file, and those of the checkout may be older than the empty program.
RUN touch src/main.rs src/lib.rs \
    && cargo build --locked --profile dist --no-default-features --features edit,grpc,srv \
    && strip target/dist/longshore \
    && cp "$(gcc -print-file-name=libgcc_s.so.1)" target/

FROM ${RUNTIME}
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="longshore" \
      org.opencontainers.image.description="Unloads Amazon SQS into MongoDB: nothing lost, nothing doubled, in any order" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# All that the binary needs beside the C library: what unwinds the stack of a panic. TLS is its own, so that no OpenSSL is in here.
COPY --from=builder /build/target/libgcc_s.so.1 /usr/lib/
COPY --from=builder /build/target/dist/longshore /usr/local/bin/longshore
COPY LICENSE-MIT LICENSE-APACHE /usr/share/doc/longshore/
# By number, so that Kubernetes can see that it is not root (runAsNonRoot).
USER 65532:65532
# In a container loopback is of no use to anyone. Who may come in is the network's to say.
ENV LONGSHORE__ADMIN__LISTEN=0.0.0.0:9690
EXPOSE 9690
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["/usr/local/bin/longshore", "check", "--live"]
ENTRYPOINT ["/usr/local/bin/longshore"]
CMD ["run"]
