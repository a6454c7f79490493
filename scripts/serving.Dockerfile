# A model's server as an image without Spark: `docker build -f scripts/serving.Dockerfile --build-arg MODEL=models/sentiment .`
# MODEL is a bundle's folder within the build's context, so that the image holds one version; `docker run -p 8080:8080 …` serves it.
# `scripts/dockerfile.sh MODEL RECORD` builds and tries it where there is no Docker.
# Tokens and certificates are mounted, never built in: `-v /etc/sparkkit:/etc/sparkkit:ro`, and the command below with --token-file,
# --tls-cert and --tls-key in place of --insecure, which stands here because a container's port is open to nobody until it is published.
FROM debian:bookworm-20260918-slim@sha256:3783cc01769c7b2b1b83a5c5ad96c815348e28ed7da68e2e3687004faa906251
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-venv \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin serve \
 && install -d -o serve -g serve /var/log/sparkkit
WORKDIR /opt/sparkkit
COPY conf/python.lock ./
RUN awk '/^[^ ]/ { keep = /^(blinker|click|flask|gunicorn|itsdangerous|jinja2|markupsafe|numpy|prometheus-client|werkzeug)==/ } keep' \
      python.lock >serving.lock \
 && python3 -m venv /opt/venv \
 && /opt/venv/bin/python -m pip install --no-cache-dir --require-hashes --only-binary :all: --no-deps -r serving.lock \
 && /opt/venv/bin/python -m pip check
COPY sparkkit sparkkit
ARG MODEL
COPY ${MODEL} /opt/model
RUN chmod -R a+rX /opt/model /opt/sparkkit && /opt/venv/bin/python -m compileall -q sparkkit
USER serve
ENV PYTHONPATH=/opt/sparkkit PYTHONUNBUFFERED=1
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s \
  CMD ["/opt/venv/bin/python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/ping', timeout=2)"]
CMD ["/opt/venv/bin/python", "-m", "sparkkit", "serve", "/opt/model", "--host", "0.0.0.0", "--insecure", "--log", "/var/log/sparkkit"]
