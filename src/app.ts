import { deriveKey } from './auth/keys.js';
import { createPasswordHasher, MAX_WAITING_HASHES } from './auth/passwords.js';
import { readOrCreateSecret } from './auth/secret.js';
import { createTokens } from './auth/tokens.js';
import { createBus, describeBus, type RedisAddress } from './bus/index.js';
import type { Config } from './config/index.js';
import { describeDatabase, openConfiguredDatabase } from './database.js';
import { createFeeds } from './delivery/feed/feeds.js';
import { createSubscriptions } from './delivery/subscription.js';
import type { Bus } from './domain/bus.js';
import { createDeliveryCounters } from './domain/counters.js';
import type { History } from './domain/history.js';
import { createMemberships } from './domain/memberships.js';
import { createMessages } from './domain/message/messages.js';
import { createRecent } from './domain/recent/recent.js';
import { createRooms, LOBBY_ID } from './domain/room.js';
import { createUsers } from './domain/user.js';
import type { PipelineHooks } from './graphql/hooks.js';
import { createAdmission } from './graphql/limits/admission.js';
import { createOperationLog } from './graphql/operation-log.js';
import { createPipeline } from './graphql/pipeline.js';
import { encodeGlobalId } from './graphql/schema/global-id.js';
import { createResources } from './lib/resources.js';
import type { Logger } from './log.js';
import { createMetrics } from './metrics/metrics.js';
import { startTracing } from './metrics/tracing.js';
import { sourcesOf } from './metrics/wiring.js';
import { checkRedis } from './redis/check.js';
import { createLimits, noRateLimits } from './redis/rate-limiter.js';
import type { DatabaseAddress } from './storage/database.js';
import { readEpoch } from './storage/epoch.js';
import { createStores } from './storage/stores.js';
import { createGraphiQL } from './transport/graphiql/index.js';
import { createClientOf } from './transport/http/client.js';
import { createGraphQLOverHttp, type GraphQLOverHttp } from './transport/http/graphql.js';
import { serveMetrics } from './transport/http/metrics.js';
import { GRAPHQL_PATH } from './transport/http/paths.js';
import { createHttpServer, RECEIVE_TIMEOUT_MS } from './transport/http/server.js';
import { createYogaAdapter } from './transport/http/yoga.js';
import { createReadiness } from './transport/readiness.js';
import { createShares } from './transport/shares.js';
import { STALL_TIMEOUT_MS } from './transport/stalls.js';
import { createWebSockets } from './transport/websocket/server.js';

export interface App {
  /** The URL of the API and of GraphiQL. */
  readonly url: string;
  /** The database and the bus in use, for the log. Without secrets. */
  readonly description: { readonly database: string; readonly bus: string };
  /** Resolves when the API serves requests; rejects with a StartupError if that is impossible. */
  readonly ready: Promise<void>;
  /** Stops everything that was started, in reverse order. May be called at any time, also more than once. */
  close(): Promise<void>;
}

/** Replacements for parts that the settings would otherwise define, for tests. */
export interface Overrides {
  readonly database?: DatabaseAddress;
  readonly bus?: Bus;
  /** How long a client may take to send a request over HTTP, in ms. */
  readonly receiveTimeoutMs?: number;
  /** How long a client may read nothing while data waits for it, in ms. */
  readonly stallTimeoutMs?: number;
  /** Unsent bytes of all connections together, above which the slowest are disconnected, instead of the setting. */
  readonly maxUnsentBytes?: number;
  readonly hooks?: readonly PipelineHooks[];
}

/**
 * Creates and connects all parts; the only wiring. It listens first, so that `/health` and `/ready` respond while the rest
 * starts.
 *
 * @throws StartupError if the port is in use or the address is not available.
 */
export async function createApp(config: Config, log: Logger, overrides: Overrides = {}): Promise<App> {
  const resources = createResources();
  const stopping = new AbortController();
  let serving: Serving | null = null;
  const readiness = createReadiness(stopping.signal);
  const { stallTimeoutMs = STALL_TIMEOUT_MS, maxUnsentBytes } = overrides;
  const shares = createShares(config, log, maxUnsentBytes);
  const metrics = config.metrics || config.metricsPort !== null ? createMetrics() : null;

  const http = createHttpServer({
    config,
    log,
    receiveTimeoutMs: overrides.receiveTimeoutMs ?? RECEIVE_TIMEOUT_MS,
    stallTimeoutMs,
    shares,
    graphiql: config.graphiql
      ? createGraphiQL({ lobbyId: config.lobby === null ? null : encodeGlobalId('Room', LOBBY_ID) })
      : null,
    metrics: config.metrics ? metrics : null,
    readiness: readiness.read,
    graphql: () => serving?.graphql ?? null,
    webSockets: () => serving?.webSockets ?? null,
  });
  const port = await http.listen(config);
  if (metrics && config.metricsPort !== null)
    resources.add(await serveMetrics(metrics, { host: config.host, port: config.metricsPort }));

  async function start(): Promise<void> {
    const database = await openConfiguredDatabase(
      config,
      log,
      resources,
      stopping.signal,
      overrides.database,
    );

    if (config.redisUrl !== null && !overrides.bus) await checkRedis(config.redisUrl, log);
    const secret = config.jwtSecret ?? (await readOrCreateSecret(config.dataDir));
    const bus = overrides.bus ?? createBus(redisOf(config), deriveKey(secret, 'bus'), log);
    resources.add(() => bus.close());
    const { actions: limits, ...limiter } = config.rateLimits
      ? createLimits(redisOf(config), log)
      : noRateLimits;
    resources.add(() => limiter.close());

    const history: History = { epoch: await database.run(readEpoch) };
    const stores = createStores(database);
    const counters = createDeliveryCounters();
    const recent = await createRecent(stores, 1000 * config.accessTokenTtlSeconds, log);
    const { endedAccounts, profiles } = recent;
    const feeds = createFeeds({
      ...stores,
      bus,
      history,
      log,
      counters,
      onRecent: recent.apply,
    });
    resources.add(() => feeds.close());
    const { publish } = feeds;
    const memberships = createMemberships(stores.rooms);
    const rooms = createRooms({
      rooms: stores.rooms,
      memberships,
      limits,
      publish,
      log,
    });
    if (config.lobby !== null) await rooms.ensureLobby(config.lobby);

    const tokens = createTokens(secret, config.accessTokenTtlSeconds, endedAccounts.has);
    const passwords = await createPasswordHasher(config.rateLimits ? MAX_WAITING_HASHES : Infinity);
    const services = {
      users: createUsers({
        users: stores.users,
        passwords,
        tokens,
        limits,
        throttle: limiter.logins,
        onProfileChange: profiles.remember,
        onSignUp: async (user) => {
          if (config.lobby !== null) await rooms.joinLobby(user);
        },
      }),
      rooms,
      messages: createMessages({
        messages: stores.messages,
        memberships,
        limits,
        history,
        publish,
        log,
      }),
      subscriptions: createSubscriptions({ messages: stores.messages, feeds, history, profiles, counters }),
      stores,
    };
    const admission = createAdmission({
      limits,
      ...shares,
      ignoresAddresses: shares.addresses.areUnknown,
    });
    const tracing = config.otlpEndpoint === null ? null : await startTracing(config.otlpEndpoint);
    if (tracing) resources.add(() => tracing.close());
    const pipeline = createPipeline({
      services,
      introspection: config.introspection,
      maxCost: config.maxOperationCost,
      admission,
      log,
      hooks: [
        ...(overrides.hooks ?? []),
        ...createOperationLog(log),
        ...(metrics ? [metrics.hooks] : []),
        ...(tracing ? [tracing.hooks] : []),
      ],
    });
    const webSockets = createWebSockets({
      pipeline,
      tokens,
      isEnded: endedAccounts.has,
      log,
      stallTimeoutMs,
      shares,
    });
    resources.add(() => webSockets.close(0));
    const clientOf = createClientOf(tokens, shares.addresses);
    const yoga = createYogaAdapter({ pipeline, log });
    const graphql = createGraphQLOverHttp({ pipeline, yoga, clientOf });
    metrics?.observe(
      sourcesOf({ webSockets, admission, feeds, shares, services, passwords, database, bus, counters }),
    );
    serving = { graphql, webSockets };
    readiness.serve({ bus, ping: database.ping, limits: limiter });
  }

  async function stop(): Promise<void> {
    stopping.abort();
    // Connections first: if a feed ended before them, clients would get `complete` and not resume.
    http.stopListening();
    const drainMs = config.drainSeconds * 1000;
    await Promise.all([http.closeEventStreams(drainMs), serving?.webSockets.close(drainMs)]);
    await http.close();
    // If the app is still starting, wait until `resources` is complete.
    await ready.catch(() => {});
    serving = null;
    await resources.close((error) => log.warn({ error }, 'Failed to stop a part of the server'));
  }

  const ready = start();
  // Callers handle the rejection of `ready`; if it rejects before they do, it must not end the process as unhandled.
  ready.catch(() => {});
  let stopped: Promise<void> | undefined;
  return {
    url: `http://localhost:${port}${GRAPHQL_PATH}`,
    description: { database: describeDatabase(config), bus: describeBus(redisOf(config)) },
    ready,
    close: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}

/** The parts that exist only once the app is ready. */
interface Serving {
  readonly graphql: GraphQLOverHttp;
  readonly webSockets: ReturnType<typeof createWebSockets>;
}

function redisOf({ redisUrl, redisPrefix }: Config): RedisAddress | null {
  return redisUrl === null ? null : { url: redisUrl, prefix: redisPrefix };
}
