import { gzipSync } from 'node:zlib';
import type { Dice } from '../random.js';
import { brokenQuery } from './conversation.js';
import { anyJson, brokenJson } from './json.js';
import { anyOperation, type Targets } from './operations.js';

/** What follows the start line of a request: headers about its body, and the body. */
export interface Content {
  readonly headers: readonly string[];
  readonly body: Buffer;
}

const TYPES = [
  'application/json; charset=utf-16',
  'application/json; charset=',
  'application/json;;',
  'application/graphql',
  'application/graphql-response+json',
  'text/plain',
  'multipart/form-data; boundary=x',
  'multipart/form-data',
  'application/x-www-form-urlencoded',
  '*/*;q=2',
  '\u00e9',
  '',
] as const;

/** A body whose operation is valid, or wrong in its variables; its length and type are wrong only seldom. */
export function contentOf(dice: Dice, targets: Targets): Content {
  const text = dice.chance(0.85) ? operationText(dice, targets) : otherText(dice, targets);
  const type = dice.chance(0.9) ? 'application/json' : dice.pick(TYPES);
  const { headers, body } = dice.chance(0.85) ? plain(Buffer.from(text)) : framed(dice, Buffer.from(text));
  return { headers: [`content-type: ${type}`, ...headers], body };
}

function operationText(dice: Dice, targets: Targets): string {
  const operation = anyOperation(dice, targets);
  if (dice.chance(0.9)) return JSON.stringify(operation);
  return JSON.stringify({ ...operation, query: brokenQuery(dice, operation.query) });
}

/** JSON of another kind, a batch, an operation with parts of any kind, or no JSON. */
function otherText(dice: Dice, targets: Targets): string {
  const operation = anyOperation(dice, targets);
  return dice.pick<() => string>([
    () => JSON.stringify(anyJson(dice)),
    () => JSON.stringify([operation, operation]),
    () => JSON.stringify({ ...operation, variables: anyJson(dice) }),
    () => JSON.stringify({ ...operation, query: anyJson(dice) }),
    () => JSON.stringify({ ...operation, operationName: anyJson(dice) }),
    () => JSON.stringify({ ...operation, extensions: anyJson(dice), [dice.pick(['a', '__proto__'])]: 1 }),
    () => brokenJson(dice, JSON.stringify(operation)),
    () => dice.bytes(100).toString('latin1'),
    () => ' '.repeat(70_000),
  ])();
}

function plain(body: Buffer): Content {
  return { headers: [`content-length: ${body.length}`], body };
}

/** A body whose length, chunks or encoding are wrong or unusual. */
function framed(dice: Dice, body: Buffer): Content {
  const { length } = body;
  const withLength = (...headers: string[]): Content => ({ headers, body });
  return dice.pick<() => Content>([
    () => chunked(dice, body),
    () => chunked(dice, body),
    () => compressed(dice, body),
    () => withLength(`content-length: ${length + 1}`),
    () => withLength(`content-length: ${Math.max(0, length - 1)}`),
    () => withLength('content-length: -1'),
    () => withLength('content-length: 99999999999999999999'),
    () => withLength('content-length: 1e3'),
    () => withLength(`content-length: ${length}`, `content-length: ${length}`),
    () => withLength(`content-length: ${length}`, 'content-length: 3'),
    () => withLength(`content-length: ${length}`, 'transfer-encoding: chunked'),
    () => withLength('transfer-encoding: chunked, identity'),
    () => withLength(),
  ])();
}

/** Chunks that are right, or whose sizes, extensions, ends or trailers are not. */
function chunked(dice: Dice, body: Buffer): Content {
  const { length } = body;
  const size = dice.pick([
    length.toString(16),
    length.toString(16),
    `${length.toString(16)};name="value"`,
    `${length.toString(16)};${'x'.repeat(20_000)}`,
    (length + 1).toString(16),
    `0x${length.toString(16)}`,
    `-${length}`,
    'ffffffffffffffff',
    'fffffffffffffffff',
    ' 5',
    '',
    'g',
  ]);
  const end = dice.pick([
    '\r\n0\r\n\r\n',
    '\r\n0\r\n\r\n',
    '\r\n0\r\nhost: y\r\n\r\n',
    '\n0\n\n',
    '0\r\n',
    '',
  ]);
  return {
    headers: ['transfer-encoding: chunked'],
    body: Buffer.concat([Buffer.from(`${size}\r\n`), body, Buffer.from(end)]),
  };
}

/** Compressed data that is right, cut, small but large when unpacked, or none at all. */
function compressed(dice: Dice, body: Buffer): Content {
  const packed = gzipSync(body);
  const content = dice.pick([packed, packed.subarray(0, 12), gzipSync(Buffer.alloc(2_000_000, 32)), body]);
  const encoding = dice.pick(['gzip', 'gzip', 'deflate', 'br', 'gzip, gzip', 'identity', 'nonsense', '']);
  const { headers } = plain(content);
  return { headers: [...headers, `content-encoding: ${encoding}`], body: content };
}
