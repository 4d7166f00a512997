# syntax=docker/dockerfile:1
# Builds for linux/amd64 and linux/arm64. The base is glibc on purpose: the embedded store has no musl build.
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 \
    UV_PROJECT_ENVIRONMENT=/opt/adlayout UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_NO_CACHE=1
RUN pip install "uv>=0.9,<1"
WORKDIR /src
# What others made changes seldom: it is a layer of its own.
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN uv sync --locked --no-install-project
COPY adlayout ./adlayout
COPY config ./config
RUN uv sync --locked --no-editable

FROM python:3.13-slim
LABEL org.opencontainers.image.title="adlayout" \
      org.opencontainers.image.description="Ad insertion and layout as a service" \
      org.opencontainers.image.licenses="MIT"
RUN groupadd --gid 10001 adlayout && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent adlayout
COPY --from=build /opt/adlayout /opt/adlayout
# What readers did waits here until the store has it: a volume that is mounted here gets this owner.
RUN install -d -m 700 -o 10001 -g 10001 /var/lib/adlayout
WORKDIR /srv
COPY config ./config
ENV PATH=/opt/adlayout/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 ADLAYOUT_STATE_DIR=/var/lib/adlayout
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["adlayout", "healthcheck"]
ENTRYPOINT ["adlayout"]
# Off loopback the config asks for ADLAYOUT_PUBLIC_URL, the address that readers reach: pass it with -e.
CMD ["serve", "--host", "0.0.0.0", "--port", "8080"]
