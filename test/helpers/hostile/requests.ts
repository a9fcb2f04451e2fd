import type { Dice } from '../random.js';
import { contentOf } from './bodies.js';
import { anyOperation, type Targets } from './operations.js';

const METHODS = [
  'GET',
  'PUT',
  'DELETE',
  'OPTIONS',
  'HEAD',
  'CONNECT',
  'TRACE',
  'get',
  '',
  'PÖST',
  'X'.repeat(300),
] as const;
const TARGETS = [
  '/graphql?query=%',
  '/graphql?query=%ff%00&variables=%7B',
  '/graphql?query={viewer{id}}&variables=[[[[',
  '/graphql?extensions=%22&operationName=__proto__',
  '/graphql?query=%7Bviewer%7Bid%7D%7D&query=2',
  'http://example.com/graphql',
  'http://[::1/graphql',
  '//graphql',
  '/../../etc/passwd',
  '/%2e%2e/%00',
  '*',
  '',
  '/health',
  '/ready',
  '/graphiql/../package.json',
  `/${'x'.repeat(20_000)}`,
] as const;
const VERSIONS = ['HTTP/1.0', 'HTTP/2.0', 'HTTP/9.9', 'HTP/1.1', ''] as const;
const UPGRADE = 'connection: upgrade\r\nupgrade: websocket';
const KEY = 'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==';
const HEADERS = [
  'host:',
  'host: b',
  UPGRADE,
  `${UPGRADE}\r\nsec-websocket-key: x\r\nsec-websocket-version: 13`,
  `${UPGRADE}\r\n${KEY}\r\nsec-websocket-version: 7`,
  `${UPGRADE}\r\n${KEY}\r\nsec-websocket-version: 13`,
  `${UPGRADE}\r\n${KEY}\r\nsec-websocket-version: 13\r\nsec-websocket-protocol: graphql-transport-ws, ,`,
  `${UPGRADE}\r\n${KEY}\r\nsec-websocket-version: 13\r\nsec-websocket-extensions: permessage-deflate; x=`,
  'connection: upgrade\r\nupgrade: h2c',
  'accept-encoding: br;q=x, *;q=0',
  'accept: application/json;q=9, text/html',
  'accept: image/png',
  'authorization: Bearer',
  'authorization: Bearer a.b.c',
  'authorization: \u0001',
  'origin: null',
  'origin: https://evil.example',
  'x-forwarded-for: , ,::::, 1.2.3.4:99999, [::1',
  'expect: 100-continue',
  'expect: nonsense',
  'bad header',
  ': empty',
  'a\u0000b: c',
  ' folded: x',
  `x-long: ${'y'.repeat(20_000)}`,
  'if-none-match: "x"',
  'range: bytes=0-',
] as const;
const ACCEPT = ['application/json', 'application/graphql-response+json', 'text/event-stream'] as const;

/**
 * A request after which the server closes the connection. As long as it knows where the ones before it end, its answer
 * shows that theirs are complete.
 */
const LAST = Buffer.from('GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');

/** The bytes of one connection: a request with perhaps something wrong, or several in one write. */
export function hostileRequest(dice: Dice, targets: Targets): Buffer {
  const count = dice.chance(0.1) ? 2 + dice.below(4) : 1;
  const requests = Array.from({ length: count }, () => oneRequest(dice, targets));
  // Nothing follows what is cut: the client goes away.
  return dice.chance(0.1) ? cut(dice, Buffer.concat(requests)) : Buffer.concat([...requests, LAST]);
}

function cut(dice: Dice, bytes: Buffer): Buffer {
  return bytes.subarray(0, dice.below(bytes.length));
}

/** Most requests are wrong in one place at most, so that the server reads the other places of them. */
function oneRequest(dice: Dice, targets: Targets): Buffer {
  if (dice.chance(0.02)) return dice.bytes(200);
  const seldom = <Item>(usual: Item, items: readonly [Item, ...Item[]]): Item =>
    dice.chance(0.06) ? dice.pick(items) : usual;
  const isGet = dice.chance(0.2);
  const { headers, body } = isGet ? { headers: [], body: Buffer.alloc(0) } : contentOf(dice, targets);
  const method = seldom<string>(isGet ? 'GET' : 'POST', METHODS);
  const target = seldom<string>(isGet ? `/graphql?${queryString(dice, targets)}` : '/graphql', TARGETS);
  const lines = [
    `${method} ${target} ${seldom<string>('HTTP/1.1', VERSIONS)}`,
    ...(dice.chance(0.98) ? ['host: x'] : []),
    ...(dice.chance(0.9) ? [`authorization: Bearer ${targets.token}`] : []),
    `accept: ${dice.pick(ACCEPT)}`,
    ...headers,
    ...(dice.chance(0.3) ? [dice.pick(HEADERS)] : []),
  ];
  const end = seldom<string>('\r\n', ['\n', '\r']);
  return Buffer.concat([Buffer.from(`${lines.join(end)}${end}${end}`, 'latin1'), body]);
}

/** The parameters of an operation; perhaps one of them is twice there, or its percent encoding is broken. */
function queryString(dice: Dice, targets: Targets): string {
  const { query, variables } = anyOperation(dice, targets);
  const text = String(new URLSearchParams({ query, variables: JSON.stringify(variables) }));
  if (dice.chance(0.8)) return text;
  const at = dice.below(text.length);
  const garbage = dice.pick([
    '%',
    '%zz',
    '%ff',
    '%00',
    '%c0%ae',
    '&',
    '=',
    '#',
    '\u00ff',
    '%ud800',
    '&query=',
  ]);
  return `${text.slice(0, at)}${garbage}${text.slice(at)}`;
}
