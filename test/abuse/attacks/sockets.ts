import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { rowId } from '../../../src/graphql/schema/global-id.js';
import { MESSAGE_ADDED } from '../../helpers/client.js';
import type { Attack } from '../attack.js';
import { repeat } from '../attacker.js';

export const anonymousSockets: Attack = {
  name: 'anonymous-sockets',
  title: '4,000 sockets without a token',
  async run({ attacker, durationMs, scale }) {
    const wanted = scale === 'full' ? 4000 : 600;
    let open = 0;
    await repeat(Infinity, 20, async (count) => {
      const socket = await attacker.socket();
      if (!socket) return;
      open += 1;
      socket.once('close', () => {
        open -= 1;
      });
      socket.send(JSON.stringify({ type: 'connection_init' }));
      if (count >= wanted) throw new Error('enough');
    }).catch(() => {});
    await sleep(Math.min(durationMs, 2000));
    if (open > 220) throw new Error(`${open} sockets of one address were open at once.`);
    return `${open} of ${wanted.toLocaleString('en')} were open at the end`;
  },
};

export const manySubscriptions: Attack = {
  name: 'many-subscriptions',
  title: 'one user opens 200 sockets with 100 subscriptions each',
  async run({ attacker, accounts: [member], roomId, durationMs, scale }) {
    let [refusedSockets, refusedSubscriptions] = [0, 0];
    const sockets = scale === 'full' ? 200 : 120;
    const init = initFor(member?.token);
    for (let count = 0; count < sockets; count += 1) {
      const socket = await attacker.socket();
      if (!socket) continue;
      socket.once('close', () => {
        refusedSockets += 1;
      });
      socket.on('message', (data) => {
        const text = String(data);
        if (text.includes('"type":"error"')) refusedSubscriptions += 1;
        if (!text.includes('connection_ack')) return;
        for (let id = 0; id < 100; id += 1) socket.send(subscribeTo(roomId, String(id)));
      });
      socket.send(init);
    }
    await sleep(durationMs);
    if (refusedSockets < sockets - 100)
      throw new Error(`Only ${refusedSockets} of ${sockets} sockets were refused.`);
    return `${refusedSockets} sockets and ${refusedSubscriptions.toLocaleString('en')} subscriptions refused`;
  },
};

export const forgedEnvelopes: Attack = {
  name: 'forged-envelopes',
  title: "forged messages on the room's channel of Redis, signed wrongly and not at all",
  async run({ target, attacker, accounts: [member], roomId, durationMs }) {
    const { redis, redisPrefix } = target.environment;
    const socket = await attacker.socket();
    let [isLive, delivered, forged] = [false, 0, 0];
    socket?.on('message', (data) => {
      const text = String(data);
      if (text.includes('connection_ack')) socket.send(subscribeTo(roomId, '1'));
      if (text.includes('"type":"next"')) delivered += 1;
      if (text.includes('a forged text')) forged += 1;
      isLive ||= text.includes('"type":"next"');
    });
    socket?.send(initFor(member?.token));
    // The next message of the bystander.
    while (!isLive) await sleep(50);
    const client = new Redis(redis.url);
    // The client's type is that of any reply.
    const channels = (await client.pubsub('CHANNELS', `${redisPrefix}:*:room:*`)) as string[];
    const message = {
      id: randomUUID(),
      seq: 1_000_000,
      rev: 1_000_000,
      type: 'TEXT',
      authorId: null,
      text: 'a forged text',
      revision: 1,
      clientMessageId: null,
      createdAt: Date.now(),
    };
    const envelope = {
      v: 1,
      roomId: rowId('Room', roomId),
      epoch: '0123456789abcdef',
      seq: message.seq,
      rev: message.rev,
      messages: [message],
    };
    const variants = [envelope, { ...envelope, mac: 'A'.repeat(43) }].map((each) => JSON.stringify(each));
    const count = await repeat(durationMs, 4, async (number) => {
      for (const channel of channels) await client.publish(channel, variants[number % 2] ?? '');
    });
    client.disconnect();
    if (channels.length === 0 || delivered === 0) throw new Error('Nothing was attacked.');
    if (forged > 0) throw new Error(`${forged} forged messages were delivered.`);
    // The response has this form.
    const { bus } = (await (await fetch(new URL('/ready', target.instance.url))).json()) as {
      bus: { forgedEnvelopes: number };
    };
    return `${count} published, ${bus.forgedEnvelopes} of them counted as forged, none delivered`;
  },
};

function initFor(token: string | undefined): string {
  return JSON.stringify({ type: 'connection_init', payload: { token } });
}

function subscribeTo(roomId: string, id: string): string {
  const payload = { query: MESSAGE_ADDED, variables: { roomId } };
  return JSON.stringify({ type: 'subscribe', id, payload });
}
