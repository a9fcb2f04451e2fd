/** Preloaded into every server under test that runs on Node: handles the signals of the bench. */
import { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** Collects all garbage, and reports it on standard error. */
process.on('SIGUSR2', () => {
  // Twice: the second collection frees the objects that the first one finalized.
  globalThis.gc?.();
  globalThis.gc?.();
  process.stderr.write('collected\n');
});

/** From reading what was published to having written it to all sockets, in ms; null before anyone has asked for it. */
let writeTimes = null;

/** Reports these times since the last report, on standard error. The first report is empty. */
process.on('SIGHUP', () => {
  if (!writeTimes) watchWrites();
  const rounded = (writeTimes ?? []).map((ms) => Math.round(ms * 100) / 100);
  writeTimes = [];
  process.stderr.write(`write times ${JSON.stringify(rounded)}\n`);
});

/** All writes of one callback belong together: nothing can be read during them. */
function watchWrites() {
  const redisPort = Number(new URL(process.env.REDIS_URL).port);
  const ownPort = Number(process.env.PORT);
  /** When the chunks were read for which nothing was written yet. */
  let unwritten = [];
  let isWriting = false;

  Socket.prototype.push = function push(chunk, encoding) {
    if (chunk !== null && this.remotePort === redisPort) unwritten.push(performance.now());
    return Duplex.prototype.push.call(this, chunk, encoding);
  };

  function onWrite(socket) {
    if (isWriting || unwritten.length === 0 || socket.localPort !== ownPort) return;
    isWriting = true;
    queueMicrotask(() => {
      const now = performance.now();
      for (const readAt of unwritten) writeTimes.push(now - readAt);
      unwritten = [];
      isWriting = false;
    });
  }
  for (const name of ['_write', '_writev']) {
    const original = Socket.prototype[name];
    Socket.prototype[name] = function write(...args) {
      onWrite(this);
      return original.apply(this, args);
    };
  }
}

// An exit of this kind writes the CPU profile, if one was requested.
process.once('SIGTERM', () => process.exit());
