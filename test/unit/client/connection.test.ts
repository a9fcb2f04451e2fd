import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { TokenRequest } from '../../../packages/client/src/index.js';
import { createFakeClient, createSubscriber, MESSAGE_ADDED, VIEWER } from '../../helpers/fake-client.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

const variables = { roomId: 'R', after: 'c0' };
const MINUTE_MS = 60_000;

test('should connect with its first operation, to the address of the protocol, and send the token', async () => {
  const { client, network, statuses, pass } = createFakeClient({ url: 'https://chat.example/graphql' });
  await pass(MINUTE_MS);
  expect(network.sockets).toHaveLength(0);

  client.subscribe(MESSAGE_ADDED, variables, createSubscriber());
  await pass();
  expect(network.socket.url).toBe('wss://chat.example/graphql');
  network.socket.accept();
  await pass();

  expect(network.socket.sent).toMatchObject([
    { type: 'connection_init', payload: { authorization: 'Bearer a-token' } },
    { type: 'subscribe', payload: { variables } },
  ]);
  expect(statuses).toEqual(['live']);
});

test('should resolve a path against the address of the page', async () => {
  vi.stubGlobal('location', { href: 'https://chat.example/rooms/1' });
  const { client, network, pass } = createFakeClient({ url: '/graphql' });

  client.subscribe(MESSAGE_ADDED, variables, createSubscriber());
  await pass();

  expect(network.socket.url).toBe('wss://chat.example/graphql');
});

test('should send nothing of a token where there is none', async () => {
  const { client, network, pass } = createFakeClient({ token: null });
  client.subscribe(MESSAGE_ADDED, variables, createSubscriber());
  await pass();
  network.socket.accept();
  await pass();

  expect(network.socket.sent[0]).toEqual({ type: 'connection_init', payload: {} });
});

test('should retry a refused connection without end, with pauses that grow up to the cap', async () => {
  const { client, network, statuses, pass } = createFakeClient({ maxRetryDelayMs: 4000 });
  const subscriber = createSubscriber();
  client.subscribe(MESSAGE_ADDED, variables, subscriber);
  await pass();

  for (const pause of [1000, 2000, 4000, 4000, ...Array<number>(200).fill(4000)]) {
    const count = network.sockets.length;
    network.socket.drop(1006);
    await pass(pause - 1);
    expect(network.sockets).toHaveLength(count);
    await pass(1);
    expect(network.sockets).toHaveLength(count + 1);
  }
  network.socket.accept();
  await pass();

  expect(network.socket.subscribed).toHaveLength(1);
  expect(statuses).toEqual(['offline CONNECTION_LOST', 'live']);
  expect(subscriber.errors).toEqual([]);
});

test('should be connecting after a cut, offline once an attempt has failed, and live again', async () => {
  const { client, network, statuses, pass } = createFakeClient();
  client.subscribe(MESSAGE_ADDED, variables, createSubscriber());
  await pass();
  network.socket.accept();
  await pass(MINUTE_MS);
  network.socket.drop(1012, 'Service restart');
  await pass(1000);
  network.socket.drop(1006);
  await pass(2000);
  network.socket.accept();
  await pass();

  expect(statuses).toEqual(['live', 'connecting CONNECTION_LOST', 'offline CONNECTION_LOST', 'live']);
});

test('should let the pauses grow where connections are accepted and cut at once', async () => {
  const { client, network, pass } = createFakeClient();
  client.subscribe(MESSAGE_ADDED, variables, createSubscriber());
  await pass();
  for (const pause of [1000, 2000, 4000]) {
    network.socket.accept();
    await pass();
    const count = network.sockets.length;
    network.socket.drop(1006);
    await pass(pause - 1);
    expect(network.sockets).toHaveLength(count);
    await pass(1);
    expect(network.sockets).toHaveLength(count + 1);
  }
});

test.each([1000, 1001, 1002, 1005, 1006, 1012, 1013, 1014, 1015, 4408, 4499, 4999])(
  'should retry after %d',
  async (code) => {
    const { client, network, pass } = createFakeClient();
    const subscriber = createSubscriber();
    client.subscribe(MESSAGE_ADDED, variables, subscriber);
    await pass();
    network.socket.accept();
    await pass();
    network.socket.drop(code);
    await pass(1000);
    network.socket.accept();
    await pass();

    expect(network.socket.subscribed).toHaveLength(1);
    expect(subscriber.errors).toEqual([]);
  },
);

test.each([
  [4401, 'signed-out', 'UNAUTHENTICATED'],
  [1009, 'offline', 'CONNECTION_CLOSED'],
  [1011, 'offline', 'CONNECTION_CLOSED'],
  [4400, 'offline', 'CONNECTION_CLOSED'],
  [4406, 'offline', 'CONNECTION_CLOSED'],
  [4409, 'offline', 'CONNECTION_CLOSED'],
  [4429, 'offline', 'CONNECTION_CLOSED'],
])('should give up after %d and say why', async (code, status, error) => {
  const { client, network, statuses, pass } = createFakeClient();
  const subscriber = createSubscriber();
  client.subscribe(MESSAGE_ADDED, variables, subscriber);
  const query = expect(client.query(VIEWER)).rejects.toMatchObject({ code: error, closeCode: code });
  await pass();
  network.socket.drop(code, 'The reason');
  await query;
  await pass(10 * MINUTE_MS);

  expect(network.sockets).toHaveLength(1);
  expect(subscriber.errors).toEqual([error]);
  expect(statuses).toEqual([`${status} ${error}`]);
});

test('should try again with the next operation after it gave up', async () => {
  const { client, network, statuses, pass } = createFakeClient();
  client.subscribe(MESSAGE_ADDED, variables, createSubscriber());
  await pass();
  network.socket.drop(4401);
  await pass(MINUTE_MS);

  client.subscribe(MESSAGE_ADDED, variables, createSubscriber());
  await pass();
  network.socket.accept();
  await pass();

  expect(network.socket.subscribed).toHaveLength(1);
  expect(statuses).toEqual(['signed-out UNAUTHENTICATED', 'connecting', 'live']);
});

describe('the token', () => {
  test('should be asked for again, as expired, after 4403', async () => {
    const requests: boolean[] = [];
    const token = async ({ expired }: TokenRequest) => {
      requests.push(expired);
      return `token-${requests.length}`;
    };
    const { client, network, pass } = createFakeClient({ token });
    client.subscribe(MESSAGE_ADDED, variables, createSubscriber());
    await pass();
    network.socket.accept();
    await pass();
    network.socket.drop(4403, 'The access token has expired');
    await pass(1000);
    network.socket.accept();
    await pass(MINUTE_MS);
    network.socket.drop(1012);
    await pass(1000);

    expect(requests).toEqual([false, true, false]);
    expect(network.sockets[1]?.sent[0]?.payload).toEqual({ authorization: 'Bearer token-2' });
  });

  test('should be asked for again where the server refuses a cached one that expired during an outage', async () => {
    const requests: boolean[] = [];
    const { client, network, statuses, pass } = createFakeClient({
      token: ({ expired }) => {
        requests.push(expired);
        return expired ? 'new' : 'cached';
      },
    });
    const subscriber = createSubscriber();
    client.subscribe(MESSAGE_ADDED, variables, subscriber);
    await pass();
    network.socket.drop(4403);
    await pass(1000);
    network.socket.accept();
    await pass();

    expect(requests).toEqual([false, true]);
    expect(network.socket.sent[0]?.payload).toEqual({ authorization: 'Bearer new' });
    expect(subscriber.errors).toEqual([]);
    expect(statuses).toEqual(['offline CONNECTION_LOST', 'live']);
  });

  test('should be asked for before the socket is opened, which the server closes if it comes late', async () => {
    let give = (_token: string): void => {};
    const { client, network, pass } = createFakeClient({
      token: () =>
        new Promise((resolve) => {
          give = resolve;
        }),
    });
    client.subscribe(MESSAGE_ADDED, variables, createSubscriber());
    await pass(20_000);
    expect(network.sockets).toHaveLength(0);

    give('late');
    await pass();
    network.socket.accept();
    await pass();
    expect(network.socket.sent[0]?.payload).toEqual({ authorization: 'Bearer late' });
  });

  test('should be asked for again with back-off if the function rejects', async () => {
    let count = 0;
    const { client, network, statuses, pass } = createFakeClient({
      token: async () => {
        count += 1;
        if (count < 4) throw new Error('no network');
        return 'a-token';
      },
    });
    client.subscribe(MESSAGE_ADDED, variables, createSubscriber());
    await pass(1000 + 2000);
    expect(count).toBe(3);
    expect(network.sockets).toHaveLength(0);
    await pass(4000);
    network.socket.accept();
    await pass();

    expect(statuses).toEqual(['offline CONNECTION_LOST', 'live']);
  });

  test('should not be asked for while nothing runs', async () => {
    let count = 0;
    const { client, pass } = createFakeClient({
      token: async () => {
        count += 1;
        throw new Error('no network');
      },
    });
    const stop = client.subscribe(MESSAGE_ADDED, variables, createSubscriber());
    await pass();
    stop();
    await pass(10 * MINUTE_MS);
    expect(count).toBe(1);

    client.subscribe(MESSAGE_ADDED, variables, createSubscriber());
    await pass();
    expect(count).toBe(2);
  });

  test.each([
    ['a fixed token has expired', 'a-token', []],
    [
      'the function has none after an expiry',
      ({ expired }: TokenRequest) => (expired ? null : 'a-token'),
      ['connecting CONNECTION_LOST'],
    ],
  ])('should sign the client out if %s', async (_, token, between) => {
    const { client, network, statuses, pass } = createFakeClient({ token });
    const subscriber = createSubscriber();
    client.subscribe(MESSAGE_ADDED, variables, subscriber);
    await pass();
    network.socket.accept();
    await pass(MINUTE_MS);
    network.socket.drop(4403);
    await pass(10 * MINUTE_MS);

    expect(network.sockets).toHaveLength(1);
    expect(subscriber.errors).toEqual(['UNAUTHENTICATED']);
    expect(statuses).toEqual(['live', ...between, 'signed-out UNAUTHENTICATED']);
  });
});

describe('in a browser', () => {
  function stubBrowser(): (type: string) => void {
    const target = new EventTarget();
    vi.stubGlobal('addEventListener', target.addEventListener.bind(target));
    return (type) => void target.dispatchEvent(new Event(type));
  }

  test.each(['online', 'visibilitychange'])('should retry at once on %s', async (type) => {
    const fire = stubBrowser();
    const { client, network, pass } = createFakeClient();
    client.subscribe(MESSAGE_ADDED, variables, createSubscriber());
    await pass();
    for (const pause of [1000, 2000, 4000]) {
      network.socket.drop(1006);
      await pass(pause);
    }
    const count = network.sockets.length;
    network.socket.drop(1006);
    await pass();
    expect(network.sockets).toHaveLength(count);

    fire(type);
    await pass();
    expect(network.sockets).toHaveLength(count + 1);
  });

  test.each(['online', 'offline', 'visibilitychange'])(
    'should find out on %s that the connection is dead',
    async (type) => {
      const fire = stubBrowser();
      const { client, network, pass } = createFakeClient();
      client.subscribe(MESSAGE_ADDED, variables, createSubscriber());
      await pass();
      network.socket.accept();
      network.socket.answersPings = false;
      await pass();

      fire(type);
      expect(network.socket.sent.at(-1)).toEqual({ type: 'ping' });
      await pass(5000 + 1000);
      expect(network.sockets).toHaveLength(2);
      expect(network.sockets[0]?.closedWith).toBe(4499);
    },
  );

  test('should keep a connection that answers', async () => {
    const fire = stubBrowser();
    const { client, network, pass } = createFakeClient();
    client.subscribe(MESSAGE_ADDED, variables, createSubscriber());
    await pass();
    network.socket.accept();
    await pass();

    fire('online');
    expect(network.socket.sent.at(-1)).toEqual({ type: 'ping' });
    await pass(MINUTE_MS);
    expect(network.sockets).toHaveLength(1);
  });

  test('should listen to nothing any more once nothing runs', async () => {
    const fire = stubBrowser();
    const { client, network, pass } = createFakeClient();
    const stop = client.subscribe(MESSAGE_ADDED, variables, createSubscriber());
    await pass();
    network.socket.accept();
    await pass();
    stop();
    await pass(3000);
    expect(network.socket.closedWith).toBe(1000);
    network.socket.drop(1000);
    const { length } = network.socket.sent;

    fire('online');
    await pass(MINUTE_MS);
    expect(network.sockets).toHaveLength(1);
    expect(network.socket.sent).toHaveLength(length);
  });
});

describe('a connection that is dead', () => {
  test('should be noticed by pings, and not as long as anything arrives', async () => {
    const { client, network, pass } = createFakeClient();
    client.subscribe(MESSAGE_ADDED, variables, createSubscriber());
    await pass();
    network.socket.accept();
    network.socket.answersPings = false;
    await pass(12_000);
    expect(network.socket.sent.at(-1)).toEqual({ type: 'ping' });
    for (let count = 0; count < 5; count += 1) {
      await pass(4000);
      network.socket.receive({ type: 'ping' });
    }
    expect(network.sockets).toHaveLength(1);

    await pass(5000 + 1000);
    expect(network.sockets).toHaveLength(2);
  });

  test('should be given up if it is not acknowledged within 10 s', async () => {
    const { client, network, statuses, pass } = createFakeClient();
    client.subscribe(MESSAGE_ADDED, variables, createSubscriber());
    await pass(10_000);
    expect(statuses).toEqual(['offline CONNECTION_LOST']);
    await pass(1000);
    expect(network.sockets).toHaveLength(2);
  });

  test('should not disturb its successor with late events', async () => {
    const { client, network, pass } = createFakeClient();
    const subscriber = createSubscriber();
    client.subscribe(MESSAGE_ADDED, variables, subscriber);
    await pass();
    const [first] = network.sockets;
    first?.accept();
    await pass();
    first?.onerror?.({ type: 'error' });
    await pass(1000);
    network.socket.accept();
    await pass();
    expect(network.sockets).toHaveLength(2);

    first?.answer('messageAdded', 'complete');
    first?.drop(1006);
    await pass(MINUTE_MS / 6);

    expect(network.sockets).toHaveLength(2);
    expect(subscriber).toMatchObject({ errors: [], isComplete: false });
  });
});

test('should close the socket 3 s after its last operation, and open one for the next', async () => {
  const { client, network, statuses, pass } = createFakeClient();
  const query = client.query(VIEWER);
  await pass();
  network.socket.accept();
  await pass();
  network.socket.answer('viewer', 'next', { data: { viewer: { id: 'V' } } });
  network.socket.answer('viewer', 'complete');
  await query;
  await pass(3000);
  expect(network.socket.closedWith).toBe(1000);
  network.socket.drop(1000);
  await pass(MINUTE_MS);
  expect(network.sockets).toHaveLength(1);
  expect(statuses).toEqual(['live']);

  client.subscribe(MESSAGE_ADDED, variables, createSubscriber());
  await pass();
  expect(network.sockets).toHaveLength(2);
});

test('should open a new connection with a fresh token on request', async () => {
  let count = 0;
  const { client, network, pass } = createFakeClient({
    token: () => {
      count += 1;
      return `token-${count}`;
    },
  });
  client.subscribe(MESSAGE_ADDED, variables, createSubscriber());
  await pass();
  network.socket.accept();
  await pass();

  client.reconnect();
  await pass();
  network.socket.accept();
  await pass();

  expect(network.sockets).toHaveLength(2);
  expect(network.socket.sent).toMatchObject([
    { payload: { authorization: 'Bearer token-2' } },
    { type: 'subscribe' },
  ]);
});

test('should end everything when disposed', async () => {
  const { client, network, pass } = createFakeClient();
  const subscriber = createSubscriber();
  client.subscribe(MESSAGE_ADDED, variables, subscriber);
  const query = expect(client.query(VIEWER)).rejects.toMatchObject({ code: 'DISPOSED' });
  await pass();
  network.socket.accept();
  await pass();

  client.dispose();
  await query;
  await expect(client.query(VIEWER)).rejects.toMatchObject({ code: 'DISPOSED' });
  await pass();

  expect(subscriber).toMatchObject({ errors: [], isComplete: true });
  expect(network.socket.closedWith).toBe(1000);
  network.socket.drop(1000);
  await pass(MINUTE_MS);
  expect(network.sockets).toHaveLength(1);
  expect(vi.getTimerCount()).toBe(0);
});

test('should leave no timer behind when disposed between two attempts', async () => {
  const { client, network, pass } = createFakeClient();
  client.subscribe(MESSAGE_ADDED, variables, createSubscriber());
  await pass();
  network.socket.drop(1006);

  client.dispose();
  await pass();

  expect(vi.getTimerCount()).toBe(0);
  expect(network.sockets).toHaveLength(1);
});
