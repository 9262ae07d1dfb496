# The server with its locked requirements, as an unprivileged user. Mount a model bundle at /bundle, and a volume for
# its state, which outlives the container:
#   docker build -t driftgauge . && docker run -p 127.0.0.1:8000:8000 -v ./my-bundle:/bundle:ro \
#       -v state:/var/lib/driftgauge -v ./tokens:/tokens:ro -e DRIFTGAUGE_TOKENS_FILE=/tokens driftgauge
# It listens on all addresses of the container, so it needs tokens (docs/access.md), or DRIFTGAUGE_INSECURE=true.

FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements/build.txt requirements/server.txt requirements/
RUN python -m venv /opt/build && /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt \
 && python -m venv /opt/driftgauge \
 && /opt/driftgauge/bin/pip install --no-cache-dir --require-hashes -r requirements/server.txt
COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY monitoring monitoring
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /tmp/wheel . \
 && /opt/driftgauge/bin/pip install --no-cache-dir --no-deps /tmp/wheel/*.whl

FROM build AS build-demo
COPY requirements/demo.txt requirements/
RUN /opt/driftgauge/bin/pip install --no-cache-dir --require-hashes -r requirements/demo.txt

FROM python:3.13-slim AS base
RUN useradd --system --uid 10001 --no-create-home driftgauge \
 && install --directory --owner 10001 --group 0 /var/lib/driftgauge
ENV PATH=/opt/driftgauge/bin:$PATH \
    PYTHONUNBUFFERED=1
USER driftgauge
EXPOSE 8000

# The demo: it keeps its model in a volume and replays flights into a server of it. What compose runs.
FROM base AS demo
COPY --from=build-demo /opt/driftgauge /opt/driftgauge
ENV XDG_CACHE_HOME=/var/lib/driftgauge
VOLUME /var/lib/driftgauge
ENTRYPOINT ["driftgauge"]
CMD ["demo", "--host", "0.0.0.0", "--insecure"]

# The last stage is what `docker build .` makes.
FROM base AS server
COPY --from=build /opt/driftgauge /opt/driftgauge
ENV DRIFTGAUGE_HOST=0.0.0.0 \
    DRIFTGAUGE_PORT=8000 \
    DRIFTGAUGE_BUNDLE=/bundle \
    DRIFTGAUGE_STATE_DIR=/var/lib/driftgauge
VOLUME /var/lib/driftgauge
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, ssl, urllib.request as r; e = os.environ; s = 'https' if e.get('DRIFTGAUGE_SSL_CERTFILE') else 'http'; r.urlopen(f\"{s}://127.0.0.1:{e['DRIFTGAUGE_PORT']}/health/ready\", timeout=2, context=ssl._create_unverified_context())"]
ENTRYPOINT ["driftgauge"]
CMD ["serve"]
