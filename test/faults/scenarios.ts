import type { Scenario } from './scenario.js';
import { manyBlocked, oneBlocked } from './scenarios/blocked-sockets.js';
import { clients } from './scenarios/clients.js';
import { clocksApart } from './scenarios/clocks-apart.js';
import { crashBeforePublish } from './scenarios/crash-before-publish.js';
import { databaseRestored } from './scenarios/database-restored.js';
import { joins } from './scenarios/joins.js';
import { killInstance } from './scenarios/kill-instance.js';
import { killSender } from './scenarios/kill-sender.js';
import { longBurst } from './scenarios/long-burst.js';
import { manySenders } from './scenarios/many-senders.js';
import { massRestart } from './scenarios/mass-restart.js';
import { postgresFast, postgresImmediate } from './scenarios/postgres-restart.js';
import { randomSchedules } from './scenarios/random-schedules.js';
import { redisDownAtStart } from './scenarios/redis-down-at-start.js';
import { redisHalfOpen } from './scenarios/redis-half-open.js';
import { redisKilledBriefly, redisKilledLong } from './scenarios/redis-killed.js';
import { restoredInReplays } from './scenarios/restored-in-replays.js';
import { rollingRestart } from './scenarios/rolling-restart.js';
import { rowLock } from './scenarios/row-lock.js';
import { subscribeComplete } from './scenarios/subscribe-complete.js';

/** All scenarios, in the order of the table. */
export const scenarios: readonly Scenario[] = [
  killInstance,
  killSender,
  crashBeforePublish,
  redisKilledBriefly,
  redisKilledLong,
  redisDownAtStart,
  redisHalfOpen,
  postgresFast,
  postgresImmediate,
  databaseRestored,
  restoredInReplays,
  rowLock,
  manySenders,
  longBurst,
  massRestart,
  joins,
  subscribeComplete,
  randomSchedules,
  rollingRestart,
  oneBlocked,
  manyBlocked,
  clocksApart,
  clients,
];
