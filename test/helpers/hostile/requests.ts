import type { Dice } from '../random.js';
import { anyJson, brokenJson } from './json.js';

const METHODS = [
  'GET',
  'POST',
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
  '/graphql',
  '/graphql?query=%7Bviewer%7Bid%7D%7D',
  '/graphql?query=%',
  '/graphql?query=%ff%00&variables=%7B',
  '/graphql?query={viewer{id}}&variables=[[[[',
  '/graphql?extensions=%22&operationName=__proto__',
  'http://example.com/graphql',
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
const VERSIONS = ['HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/9.9', 'HTP/1.1', ''] as const;
const TYPES = [
  'application/json',
  'application/json; charset=utf-16',
  'application/graphql',
  'text/plain',
  'multipart/form-data; boundary=x',
  'application/x-www-form-urlencoded',
  '*/*;q=2',
  '\u00e9',
  '',
] as const;
const HEADERS = [
  'host: x',
  'host:',
  'Host: a\r\nhost: b',
  'connection: upgrade\r\nupgrade: websocket',
  'connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x\r\nsec-websocket-version: 13',
  'connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-version: 7',
  'connection: upgrade\r\nupgrade: h2c',
  'content-encoding: gzip',
  'accept-encoding: br;q=x, *;q=0',
  'accept: text/event-stream',
  'accept: application/json;q=9, text/html',
  'authorization: Bearer',
  'authorization: Bearer a.b.c',
  'authorization: Bearer x\r\nauthorization: Bearer y',
  'authorization: \u0001',
  'origin: null',
  'origin: https://evil.example',
  'x-forwarded-for: , ,::::, 1.2.3.4:99999, [::1',
  'expect: 100-continue',
  'transfer-encoding: chunked, identity',
  'bad header',
  ': empty',
  'a\u0000b: c',
  `x-long: ${'y'.repeat(20_000)}`,
  'if-none-match: "x"',
  'range: bytes=0-',
] as const;
const DOCUMENTS = [
  '{ viewer { id } }',
  'mutation { x }',
  'subscription { messageAdded(roomId: "x") { cursor } }',
  '{',
] as const;

/** The bytes of one connection: a request with something wrong, or several in one write. */
export function hostileRequest(dice: Dice): Buffer {
  const count = dice.chance(0.1) ? 3 : 1;
  return Buffer.concat(Array.from({ length: count }, () => oneRequest(dice)));
}

function oneRequest(dice: Dice): Buffer {
  if (dice.chance(0.03)) return dice.bytes(200);
  const usually = <Item>(value: Item, items: readonly [Item, ...Item[]]): Item =>
    dice.chance(0.6) ? value : dice.pick(items);
  const body = bodyOf(dice);
  const start = `${usually('POST', METHODS)} ${usually('/graphql', TARGETS)} ${usually('HTTP/1.1', VERSIONS)}`;
  const headers = [
    'host: x',
    `content-type: ${usually('application/json', TYPES)}`,
    ...lengthsOf(dice, body),
    ...Array.from({ length: dice.below(4) }, () => dice.pick(HEADERS)),
  ];
  const end = dice.pick(['\r\n', '\r\n', '\r\n', '\n']);
  const bytes = Buffer.concat([Buffer.from(`${[start, ...headers].join(end)}${end}${end}`, 'latin1'), body]);
  return dice.chance(0.1) ? bytes.subarray(0, dice.below(bytes.length)) : bytes;
}

function bodyOf(dice: Dice): Buffer {
  const request = { query: dice.pick(DOCUMENTS), variables: anyJson(dice), operationName: anyJson(dice, 0) };
  const text = JSON.stringify(dice.pick([request, request, anyJson(dice), [request, request]]));
  if (dice.chance(0.1)) return dice.bytes(100);
  return Buffer.from(dice.chance(0.3) ? brokenJson(dice, text) : text);
}

/** Lengths that are right, wrong, several, or contradict chunks. */
function lengthsOf(dice: Dice, { length }: Buffer): string[] {
  return dice.pick<readonly string[]>([
    [`content-length: ${length}`],
    [`content-length: ${length}`],
    [`content-length: ${length}`],
    [`content-length: ${length + 1}`],
    ['content-length: -1'],
    ['content-length: 99999999999999999999'],
    ['content-length: 1e3'],
    [`content-length: ${length}`, 'content-length: 3'],
    [`content-length: ${length}`, 'transfer-encoding: chunked'],
    ['transfer-encoding: chunked'],
    [],
  ]) as string[];
}
