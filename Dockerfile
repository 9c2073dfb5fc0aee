# The image: runtime packages and compiled code on Python's slim image, run by a user without rights.
FROM python:3.13-slim AS build
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

FROM python:3.13-slim
# Two malloc arenas instead of eight a core: threads that decode photos would keep tens of megabytes each.
ENV PATH=/opt/venv/bin:$PATH \
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
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
USER 10001:10001
VOLUME ["/data", "/output"]
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/health', timeout=4)"]
CMD ["python", "scripts/serve.py"]
