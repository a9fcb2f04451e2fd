import { setTimeout as sleep } from 'node:timers/promises';
import type { Attack } from '../attack.js';
import { repeat } from '../attacker.js';

export const pipelining: Attack = {
  name: 'pipelining',
  title: '60 requests in one write, then close, again and again',
  async run({ attacker, durationMs }) {
    const request = 'GET /graphql HTTP/1.1\r\nhost: x\r\naccept: text/html\r\n\r\n';
    const count = await repeat(durationMs, 10, async () => {
      const socket = await attacker.tcp();
      socket.write(request.repeat(60));
      await sleep(20);
      socket.destroy();
    });
    return `${count} connections`;
  },
};

export const unreadAssets: Attack = {
  name: 'unread-assets',
  title: '150 connections that ask for GraphiQL and read nothing',
  async run({ attacker, durationMs, target }) {
    const page = await fetch(target.instance.url, { headers: { accept: 'text/html' } });
    const path = /src="([^"]+\.js)"/.exec(await page.text())?.[1];
    if (path === undefined) throw new Error('The page of GraphiQL names no script.');
    for (let count = 0; count < 150; count += 1) {
      const socket = await attacker.tcp();
      socket.pause().write(`GET ${path} HTTP/1.1\r\nhost: x\r\naccept-encoding: identity\r\n\r\n`);
    }
    await sleep(durationMs);
    return '150 connections';
  },
};

export const slowRequests: Attack = {
  name: 'slow-requests',
  title: '1,000 connections whose headers and bodies never end',
  async run({ attacker, durationMs }) {
    const starts = [
      'GET /graphql HTTP/1.1\r\nhost: x\r\nx-a: ',
      'POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{',
    ];
    let closed = 0;
    for (let count = 0; count < 1000; count += 1) {
      const socket = await attacker.tcp();
      socket.resume().once('close', () => {
        closed += 1;
      });
      socket.write(starts[count % 2] ?? '');
    }
    await sleep(durationMs);
    // An address has 200 connections without a token.
    if (closed < 800) throw new Error(`Only ${closed} of 1,000 connections of one address were closed.`);
    return `${closed} of 1,000 closed for newer ones`;
  },
};
