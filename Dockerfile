# One image with both programs and the lab's traffic tools (docker-compose.yml says what each container runs).
# Without a registry, lab/make-base-image makes the base from Debian's packages.
FROM debian:bookworm-slim AS base

FROM base AS build
WORKDIR /src
COPY packages.txt lab/install-packages ./
RUN mkdir lab && mv install-packages lab/ && lab/install-packages build run && rm -rf /var/lib/apt/lists/*
COPY . .
RUN CCACHE_BASEDIR=/src CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=locale CCACHE_REMOTE_STORAGE="file:/src/build/release/ccache|read-only" \
    sh -c 'cmake --preset release && cmake --build --preset release --target icrd icr'
# The shared libraries that the programs load, by package name: that is all that the last stage needs of this one.
RUN ldd build/release/bin/icrd build/release/bin/icr | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u | \
    while read -r library; do dpkg-query -S "$library" 2>/dev/null || dpkg-query -S "/usr$library"; done | \
    sed -E 's/:.*//' | sort -u > build/runtime-packages

FROM base
COPY --from=build /src/build/runtime-packages /src/packages.txt /src/lab/install-packages /opt/icr/lab/
RUN mv /opt/icr/lab/packages.txt /opt/icr/ && apt-get update -qq && \
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      $(cat /opt/icr/lab/runtime-packages) $(/opt/icr/lab/install-packages --list run) && \
    rm -rf /var/lib/apt/lists/*
COPY --from=build /src/build/release/bin/icrd /src/build/release/bin/icr /usr/local/bin/
COPY lab/traffic /opt/icr/lab/traffic
COPY lab/container-entry /opt/icr/lab/
COPY cluster-configs /etc/icr
ENV ICR_CLUSTER=/etc/icr/two-chassis.yaml
ENTRYPOINT ["/opt/icr/lab/container-entry"]
