import { beforeAll, expect, test } from 'vitest';
import { startTransactionCounter, type TransactionCounter } from '../../bench/machine/transaction-counter.js';
import { schema } from '../../src/graphql/schema/index.js';
import { createRoom, joinRoom, type Person, page, request, send, signUp } from '../helpers/client.js';
import { createTestDatabase } from '../helpers/database.js';
import { openEventStream } from '../helpers/event-stream.js';
import { startParley, startSibling, type TestParley } from '../helpers/parley.js';
import { selectAll } from '../helpers/probes.js';

/* A list costs a few reads, however long it is, whatever is selected of its items, and however many authors they have. */

const [FEW, MANY] = [4, 40];
const AUTHORS = 8;
/** The comparison with the database takes one per second, while events are awaited. */
const OTHER_TRANSACTIONS = 3;

let counted: TestParley;
let counter: TransactionCounter;
let reader: Person;
let roomId: string;
/** The positions before the last messages, by the number of these. */
const positions = new Map<number, string>();

beforeAll(async () => {
  const database = await createTestDatabase();
  const parley = await startParley({ database });
  reader = await signUp(parley.url);
  roomId = await createRoom(reader);
  const authors = await Promise.all(Array.from({ length: AUTHORS }, () => signUp(parley.url)));
  for (const author of authors) await joinRoom(author, roomId);
  for (let message = 0; message < MANY; message += 1) {
    positions.set(MANY - message, (await page(reader, roomId)).liveCursor);
    const author = authors[message % AUTHORS];
    if (author) await send(author, roomId, `message ${message}`);
  }
  for (let room = 0; room < MANY; room += 1) await createRoom(reader, `room ${room}`);

  counter = await startTransactionCounter(database.url);
  counted = await startSibling(parley, { env: { DATABASE_URL: counter.url } });
  // Loads its code, and prepares its statements.
  for (const run of Object.values(LISTS)) await run(FEW);
});

async function query(document: string): Promise<string> {
  const result = await request(counted.url, document, {}, reader.token);
  expect(result.errors).toBeUndefined();
  return JSON.stringify(result.data);
}

async function subscribe(field: string, selection: string, count: number): Promise<string> {
  const document = `subscription { ${field}(roomId: "${roomId}", after: "${positions.get(count)}") ${selection} }`;
  const stream = await openEventStream(counted.url, reader, {}, document);
  await stream.received(count);
  stream.abort();
  return JSON.stringify(stream.events.map(({ result }) => result));
}

/** Reads a list of a length with everything that can be selected of its items; returns the answer. */
const LISTS: Record<string, (count: number) => Promise<string>> = {
  'a page of messages': (count) =>
    query(`{ roomMessages(roomId: "${roomId}", last: ${count}) ${selectAll(schema, 'MessageConnection')} }`),
  'a page of rooms': (count) => query(`{ rooms(first: ${count}) ${selectAll(schema, 'RoomConnection')} }`),
  'a replay of messageAdded': (count) => subscribe('messageAdded', selectAll(schema, 'MessageEdge'), count),
  'a replay of roomEvents': (count) =>
    subscribe(
      'roomEvents',
      `{ __typename ... on MessageAddedEvent ${selectAll(schema, 'MessageAddedEvent')} }`,
      count,
    ),
};

test.each(Object.keys(LISTS))('%s costs as many reads as a shorter one', async (name) => {
  const read = LISTS[name] ?? (() => Promise.reject(new Error('There is no such list.')));
  const transactionsOf = async (count: number) => {
    const start = Date.now();
    const answer = await read(count);
    return {
      transactions: counter.transactionsSince(start),
      items: answer.split('"memberCount"').length - 1,
    };
  };

  const [few, many] = [await transactionsOf(FEW), await transactionsOf(MANY)];

  expect(few.items).toBeGreaterThanOrEqual(FEW);
  expect(many.items).toBeGreaterThanOrEqual(MANY);
  expect(few.transactions).toBeGreaterThan(0);
  expect(many.transactions - few.transactions).toBeLessThanOrEqual(OTHER_TRANSACTIONS);
});
