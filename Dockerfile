# Alone (`docker run -p 8000:8000 -v tidemark:/data tidemark`) it runs everything, with ClickHouse and Redis embedded;
# docker-compose.yml runs one container for each role.
FROM node:20-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
RUN npm run build && npm prune --omit=dev

FROM node:20-slim
RUN apt-get update \
	&& apt-get install -y --no-install-recommends ca-certificates redis-server \
	&& rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY --from=build /app/scripts ./scripts
RUN ln -s /app/scripts/tidemark.mjs /usr/local/bin/tidemark && mkdir /data /exports && chown node:node /data /exports
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8000 TIDEMARK_DATA=/data
USER node
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=6 CMD ["node", "scripts/healthcheck.mjs"]
ENTRYPOINT ["tidemark"]
CMD ["start"]
