# headrace on Debian 13. Needs nothing but its store and a port:
#
#   docker build -t headrace .
#   docker run --rm -p 3000:3000 -v headrace:/var/lib/headrace headrace
#
# The unit suite runs while the image is built: an image that exists has passed it.
FROM debian:trixie-slim AS build
WORKDIR /src
COPY deploy/packages.sh deploy/
RUN apt-get update \
    && apt-get install -y --no-install-recommends $(bash deploy/packages.sh build unit)
COPY . .
ARG JOBS=
RUN cmake -S . -B /build -G Ninja -DCMAKE_BUILD_TYPE=Release -DHEADRACE_TESTS=ON \
    && ninja -C /build ${JOBS:+-j$JOBS} headrace unit_tests \
    && ctest --test-dir /build -L unit --output-on-failure --no-tests=error
# The packages of the shared libraries that the binary loads: all that the runtime stage installs.
RUN mkdir /out \
    && strip -o /out/headrace /build/headrace \
    && ldd /out/headrace | awk '$3 ~ "^/" {print $3}' | xargs realpath | xargs dpkg -S \
        | sed 's/:.*//' | sort -u > /out/packages

FROM debian:trixie-slim
COPY --from=build /out/packages /tmp/packages
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates $(cat /tmp/packages) \
    && apt-get clean \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* /var/log/* /tmp/packages \
    && groupadd --gid 65532 headrace \
    && useradd --uid 65532 --gid 65532 --home-dir /var/lib/headrace --no-create-home --shell /usr/sbin/nologin headrace \
    && install -d -o 65532 -g 65532 -m 0700 /var/lib/headrace
COPY --from=build /out/headrace /usr/local/bin/headrace
ENV HEADRACE_SPOOL_DIR=/var/lib/headrace
USER 65532:65532
VOLUME /var/lib/headrace
# Ingestion; admin (metrics, health) listens on loopback unless HEADRACE_ADMIN_LISTEN says otherwise.
EXPOSE 3000 3001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=4s --start-period=10s --retries=3 CMD ["headrace", "health"]
ENTRYPOINT ["headrace"]
CMD ["serve"]
