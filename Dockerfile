# One image for every node: `node api/src/main.ts`, `node worker/src/main.ts`, `node gateway/src/main.ts` …
FROM node:24-bookworm-slim
WORKDIR /app
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    MODULES_DIR=/app/modules:/app/functions/modules

# The functions service fetches repositories with git. PACKAGES may name more of Debian's packages, as golang-go.
ARG PACKAGES=
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends git openssh-client ca-certificates $PACKAGES >/dev/null \
    && rm -rf /var/lib/apt/lists/*

# The packages change less often than the sources: this layer is built again only with package-lock.json.
COPY package.json package-lock.json ./
COPY sdk/package.json sdk/
COPY shared/package.json shared/
COPY api/package.json api/
COPY worker/package.json worker/
COPY gateway/package.json gateway/
COPY sysmon/package.json sysmon/
COPY functions/package.json functions/
COPY local/package.json local/
COPY haproxy/package.json haproxy/
COPY bench/package.json bench/
COPY cli/package.json cli/
# Not `npm ci`, which refuses a lock file that lacks an optional package of some other platform.
RUN npm install --no-save --omit=dev --no-audit --no-fund --loglevel=error && npm cache clean --force

COPY sdk sdk
COPY shared shared
COPY api api
COPY worker worker
COPY gateway gateway
COPY sysmon sysmon
COPY functions functions
COPY cli cli
COPY modules modules
COPY samples samples

USER node
