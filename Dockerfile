ARG BASE_IMAGE=docker.io/library/python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS dependencies
# A busybox that needs no libraries: replay Jobs carry it into the images of other people's tools.
RUN test -x /bin/busybox || { apt-get update && apt-get install --yes --no-install-recommends busybox-static; }
# Two builds of the same are the same, to the last bit: files that Python compiles say what they were made from, and not when.
ENV PYTHONHASHSEED=0 COMPILED="compileall -q --invalidation-mode=unchecked-hash"
RUN python3 -m venv /opt/build && python3 -m venv --without-pip /opt/kai-snapshot
# Both secrets are optional: how the machine that builds reaches its package index, and whom it trusts for that.
ENV PIP_CONFIG_FILE=/run/secrets/pip.conf PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements/build.txt requirements/runtime.txt /src/requirements/
RUN --mount=type=secret,id=pip.conf --mount=type=secret,id=ca-certificates.crt \
    /opt/build/bin/pip install --require-hashes --requirement /src/requirements/build.txt && \
    /opt/build/bin/pip --python /opt/kai-snapshot/bin/python install --no-compile --require-hashes --requirement /src/requirements/runtime.txt && \
    python3 -m $COMPILED /opt/kai-snapshot/lib

FROM dependencies AS own
COPY pyproject.toml README.md LICENSE /src/
COPY operator /src/operator
RUN /opt/build/bin/pip wheel --no-deps --no-index --no-build-isolation --wheel-dir /dist /src && \
    /opt/build/bin/pip --python /opt/kai-snapshot/bin/python install --no-compile --no-deps --no-index --prefix /opt/own /dist/*.whl && \
    python3 -m $COMPILED /opt/own/lib

FROM ${BASE_IMAGE}
COPY --from=dependencies /bin/busybox /usr/local/bin/busybox
COPY --from=dependencies /opt/kai-snapshot /opt/kai-snapshot
COPY --from=own /opt/own /opt/kai-snapshot
# Whatever the user id is, it need not have a name: kopf asks for one.
ENV USER=kai-snapshot
ENV PATH=/opt/kai-snapshot/bin:/usr/local/bin:/usr/bin:/bin PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
ENTRYPOINT ["kai-snapshot"]
