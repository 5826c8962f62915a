# Two images: `docker build --target cpu .` and `docker build --target cuda .`
FROM python:3.11-slim-bookworm AS base
ENV PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1 MTL_CACHE=/cache HF_HOME=/cache/huggingface
# Not root: what the container writes into a mounted folder should not be root's.
RUN useradd --create-home --uid 1000 mtl && mkdir /cache /studies && chown mtl /cache /studies
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE MANIFEST.in ./
COPY mtl_core mtl_core
COPY tuning tuning
COPY search_spaces search_spaces
COPY docs/package.md docs/package.md

FROM base AS cpu
# The index of torch has builds without CUDA, which spare some gigabytes.
RUN pip install '.[all]' --constraint constraints.txt \
    --extra-index-url https://download.pytorch.org/whl/cpu
USER 1000
WORKDIR /studies
ENTRYPOINT ["mtl"]
CMD ["--help"]

FROM base AS cuda
# torch of the package index brings its own CUDA libraries; the host needs the driver alone.
RUN pip install '.[all]' --constraint constraints.txt
USER 1000
WORKDIR /studies
ENTRYPOINT ["mtl"]
CMD ["--help"]
