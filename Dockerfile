# The image: runtime packages and compiled code on Python's slim image, run by a user without rights.

# pg_dump and pg_restore for backups of PostgreSQL, with the libraries they need beyond the C library. They come from the
# image of the server that compose.yaml runs, because they must not be older than a server; both images are of one Debian.
FROM postgres:18-trixie AS postgres
WORKDIR /opt/postgresql
# Each is started with these libraries; nothing else, Python least of all, is to find them.
RUN mkdir bin lib \
    && for name in pg_dump pg_restore; do \
        program="/usr/lib/postgresql/$PG_MAJOR/bin/$name" \
        && cp "$program" lib/ \
        && ldd "$program" | awk '$3 ~ "^/" && $1 !~ "^lib(c|m|dl|rt|pthread|resolv)[.]so" { print $3 }' \
            | xargs -I {} cp -L {} lib/ \
        && printf '#!/bin/sh\nLD_LIBRARY_PATH=%s/lib exec %s/lib/%s "$@"\n' "$PWD" "$PWD" "$name" > "bin/$name" \
        && chmod 755 "bin/$name" || exit 1; \
    done

FROM python:3.13-slim-trixie AS build
WORKDIR /app
RUN python -m venv /opt/venv
COPY requirements.txt ./
# Nothing imports pip and the packages' own tests: 30 MB less to store and to send.
RUN /opt/venv/bin/python -m pip install --no-cache-dir --no-compile --disable-pip-version-check -r requirements.txt \
    && /opt/venv/bin/python -m pip uninstall --yes --quiet pip \
    && find /opt/venv -type d -name tests -prune -exec rm -rf {} +
COPY functions/ functions/
COPY lib/ lib/
COPY migrations/ migrations/
COPY scripts/ scripts/
COPY gunicorn.conf.py LICENSE ./
# Compiled here, once: without bytecode a start takes four times as long, and the server's user cannot write it.
# Unchecked: the copy into the next stage may change the sources' times, but not the sources.
RUN python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib functions lib scripts

FROM python:3.13-slim-trixie
# Two malloc arenas instead of eight a core: threads that decode photos would keep tens of megabytes each.
ENV PATH=/opt/venv/bin:/opt/postgresql/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MALLOC_ARENA_MAX=2 \
    PORT=8000 \
    DATABASE_URL=sqlite:////data/weed_diversity.db \
    DATA_DIR=/data/photos \
    OUTPUT_DIR=/output
# A number, so that hosts which refuse root can tell. The folders belong to it, and so do new volumes put on them.
RUN groupadd --gid 10001 weeds \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /app --shell /usr/sbin/nologin weeds \
    && mkdir -p /app /data/photos /output \
    && chown -R 10001:10001 /data /output
COPY --from=postgres /opt/postgresql /opt/postgresql
# Here the build ends when a library is missing, not the first backup.
RUN pg_dump --version && pg_restore --version
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
USER 10001:10001
VOLUME ["/data", "/output"]
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/health', timeout=4)"]
CMD ["python", "scripts/serve.py"]
