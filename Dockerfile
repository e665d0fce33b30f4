# One image with both programs and the lab's traffic tools (docker-compose.yml says what each container runs).
# Without a registry, lab/make-base-image makes the base from Debian's packages.
#
# The programs are compiled in the image (PROGRAMS=source), or copied from build/image (PROGRAMS=built), made by:
#   cmake --install build/release --strip --prefix build/image && docker-compose build --build-arg PROGRAMS=built left
FROM debian:bookworm-slim AS build
ARG PROGRAMS=source
WORKDIR /src
COPY packages.txt lab/install-packages ./
RUN mkdir lab && mv install-packages lab/ && \
    if [ "$PROGRAMS" = source ]; then lab/install-packages build && rm -rf /var/lib/apt/lists/*; fi
COPY . .
RUN if [ "$PROGRAMS" = source ]; then \
      export CCACHE_REMOTE_STORAGE="file:/src/build/release/ccache|read-only" && rm -rf build/image && \
      cmake --preset release && cmake --build --preset release --target icrd icr && \
      cmake --install build/release --strip --prefix build/image; \
    fi

FROM debian:bookworm-slim
COPY packages.txt lab/install-packages /opt/icr/lab/
RUN mv /opt/icr/lab/packages.txt /opt/icr/ && /opt/icr/lab/install-packages run && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt /var/cache/debconf /usr/share/doc /usr/share/man /usr/share/locale && \
    useradd --system --home-dir /var/lib/icr --create-home icr
COPY --from=build /src/build/image/bin/ /usr/local/bin/
# The image must contain every shared library that the programs load: group `run` of packages.txt.
RUN ! ldd /usr/local/bin/icrd /usr/local/bin/icr | grep 'not found'
COPY lab/traffic /opt/icr/lab/traffic
COPY lab/container-entry /opt/icr/lab/
COPY cluster-configs /etc/icr
ENV ICR_CLUSTER=/etc/icr/lab/cluster.yaml
ENTRYPOINT ["/opt/icr/lab/container-entry"]
