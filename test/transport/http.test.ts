import { serverAudits } from 'graphql-http';
import { beforeAll, describe, expect, test } from 'vitest';
import { createRoom, type Person, page, type Result, send, signUp } from '../helpers/client.js';
import { startParley, type TestParley } from '../helpers/parley.js';

const ALLOWED = 'https://app.example.com';
const FOREIGN = 'https://evil.example.com';
const RESPONSE_JSON = 'application/graphql-response+json';

let parley: TestParley;
let origin: string;
let alice: Person;

beforeAll(async () => {
  parley = await startParley({ env: { ALLOWED_ORIGINS: ALLOWED } });
  origin = new URL(parley.url).origin;
  alice = await signUp(parley.url);
});

function post(body: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(parley.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  });
}

function get(parameters: Record<string, string>, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${parley.url}?${new URLSearchParams(parameters)}`, { headers });
}

/** Reads the whole response, which also frees its connection for the next request. */
async function readResult(
  response: Response,
): Promise<{ status: number; type: string | null } & Result<object>> {
  // Unchecked here: tests assert the shape of the result.
  const result = (await response.json()) as Result<object>;
  return { status: response.status, type: response.headers.get('content-type'), ...result };
}

test('all 61 audits of GraphQL over HTTP pass', async () => {
  const audits = serverAudits({ url: parley.url });
  const results = await Promise.all(audits.map((audit) => audit.fn()));

  expect(results.filter(({ status }) => status !== 'ok')).toEqual([]);
  expect(results).toHaveLength(61);
});

describe('a query', () => {
  const query = 'query Who($id: ID!) { viewer { user { username } } node(id: $id) { __typename } }';

  test.each([RESPONSE_JSON, 'application/json'])('a query returns %s, by POST and by GET', async (accept) => {
    const variables = { id: alice.userId };
    const expected = {
      status: 200,
      type: expect.stringContaining(accept),
      data: { viewer: { user: { username: alice.username } }, node: { __typename: 'User' } },
    };
    const headers = { accept, authorization: `Bearer ${alice.token}` };

    const posted = await post(JSON.stringify({ query, variables }), headers);
    expect(await readResult(posted)).toEqual(expected);
    const got = await get({ query, variables: JSON.stringify(variables), operationName: 'Who' }, headers);
    expect(await readResult(got)).toEqual(expected);
  });

  test('an invalid query returns an error code, and status 400 only with the newer media type', async () => {
    const body = JSON.stringify({ query: '{ nowhere }' });
    const errors = [expect.objectContaining({ extensions: { code: 'BAD_USER_INPUT' } })];

    expect(await readResult(await post(body, { accept: RESPONSE_JSON }))).toMatchObject({
      status: 400,
      errors,
    });
    expect(await readResult(await post(body, { accept: 'application/json' }))).toMatchObject({
      status: 200,
      errors,
    });
  });
});

describe('the direct path returns the same response as Yoga', () => {
  const contentOf = async (response: Response) => {
    const headers = Object.fromEntries(response.headers);
    for (const name of ['date', 'keep-alive', 'connection', 'x-request-id']) delete headers[name];
    return { status: response.status, headers, body: await response.text() };
  };
  const headersWith = (accept: string, more: Record<string, string> = {}) => ({
    accept,
    authorization: `Bearer ${alice.token}`,
    ...more,
  });

  test.each([
    '*/*',
    'application/*',
    'application/json',
    RESPONSE_JSON,
    ' Application/JSON ; q=0.1',
    `${RESPONSE_JSON}, application/json;q=0.9`,
    `application/json, ${RESPONSE_JSON}`,
    `application/json;q=0.1, ${RESPONSE_JSON}`,
    `*/*, ${RESPONSE_JSON}`,
    `image/png, text/event-stream, ${RESPONSE_JSON}, multipart/mixed`,
    `image/png;q=1, */*;q=0.1`,
    'application/graphql+json',
    'application/json; charset=latin1',
    'image/png',
    '*/*;q=0',
    'application/json;q=0, */*',
    'text/event-stream, application/json;q=0.1',
  ])('the direct path responds like Yoga to a request that accepts %s', async (accept) => {
    for (const query of [
      '{ viewer { user { username } } }',
      '{ rooms(first: -1) { nodes { id } } viewer { id } }',
    ]) {
      const byYoga = await contentOf(await get({ query }, headersWith(accept)));
      expect(await contentOf(await post(JSON.stringify({ query }), headersWith(accept)))).toEqual(byYoga);
    }
  });

  const send = 'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { __typename } }';
  const requests: Record<string, { body: object; headers?: Record<string, string> }> = {
    'for a public field': { body: { query: '{ __typename }', variables: null, operationName: null } },
    'with several operations': {
      body: { query: 'query A { a: __typename } query B { b: __typename }', operationName: 'B' },
    },
    'with an unknown operation name': { body: { query: 'query A { a: __typename }', operationName: 'B' } },
    'with an invalid token': {
      body: { query: '{ viewer { id } __typename }' },
      headers: { authorization: 'Bearer x' },
    },
    'whose result is a UserError': { body: { query: send, variables: { input: { roomId: 'x', text: '' } } } },
    'with a variable of the wrong type': { body: { query: send, variables: { input: { roomId: 'x' } } } },
    'with a missing variable': { body: { query: send } },
    'whose non-null field fails': {
      body: { query: 'mutation { joinRoom(input: { roomId: "x" }) { __typename } }' },
      headers: { authorization: '' },
    },
    'from an allowed origin': { body: { query: '{ __typename }' }, headers: { origin: ALLOWED } },
    'from a foreign origin': { body: { query: '{ __typename }' }, headers: { origin: FOREIGN } },
    'with extensions': { body: { query: '{ __typename }', extensions: { a: 1 } } },
    'with an unknown parameter': { body: { query: '{ __typename }', more: 1 } },
    'with an operation name that is not a string': { body: { query: '{ __typename }', operationName: 1 } },
  };

  test.each(Object.keys(requests))('the direct path responds like Yoga to a request %s', async (name) => {
    const { body, headers } = requests[name] ?? { body: {} };
    // Yoga handles all requests with an unknown parameter, and ignores it if it is null.
    const ofYoga = JSON.stringify({ ...body, unknown: null });
    const byYoga = await contentOf(await post(ofYoga, headersWith('application/json', headers)));
    const direct = await post(JSON.stringify(body), headersWith('application/json', headers));
    expect(await contentOf(direct)).toEqual(byYoga);
  });
});

describe('the status of a response', () => {
  const send = 'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { __typename } }';
  const wrongType = { query: send, variables: { input: { roomId: 'x' } } };
  const failingField = { query: '{ rooms(first: -1) { nodes { id } } }' };

  test.each([
    ['a result', { query: '{ __typename }' }, 200, 200],
    ['a field that fails', failingField, 200, 200],
    ['an expected error', { query: send, variables: { input: { roomId: 'x', text: '' } } }, 200, 200],
    ['a variable of the wrong type', wrongType, 400, 400],
    ['a missing variable', { query: send }, 400, 400],
    ['an unknown operation', { query: 'query A { a: __typename }', operationName: 'B' }, 400, 400],
    ['an invalid document', { query: '{ nowhere }' }, 200, 400],
  ])('%s has the status that GraphQL over HTTP defines', async (_, body, json, responseJson) => {
    const authorization = `Bearer ${alice.token}`;
    for (const [accept, status] of [
      ['application/json', json],
      [RESPONSE_JSON, responseJson],
    ] as const) {
      const response = await post(JSON.stringify(body), { accept, authorization });
      expect({ accept, status: response.status }).toEqual({ accept, status });
    }
  });
});

describe('a mutation', () => {
  const mutation = (roomId: string) =>
    `mutation { sendMessage(input: { roomId: "${roomId}", text: "x" }) { __typename } }`;
  const boundary = 'border';
  const part = (name: string, value: string) =>
    `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;

  /** Forms in which a page of another site could post it without a CORS preflight. */
  const simpleRequests: Record<string, (query: string) => { type: string; body: string }> = {
    'a form': (query) => ({
      type: 'application/x-www-form-urlencoded',
      body: String(new URLSearchParams({ query })),
    }),
    'plain text': (query) => ({ type: 'text/plain', body: JSON.stringify({ query }) }),
    'plain text that claims a JSON parameter': (query) => ({
      type: 'text/plain; application/json',
      body: JSON.stringify({ query }),
    }),
    'a multipart form': (query) => ({
      type: `multipart/form-data; boundary=${boundary}`,
      body: `${part('query', query)}--${boundary}--\r\n`,
    }),
    'a multipart request': (query) => ({
      type: `multipart/form-data; boundary=${boundary}`,
      body: `${part('operations', JSON.stringify({ query }))}${part('map', '{}')}--${boundary}--\r\n`,
    }),
    'application/graphql': (query) => ({ type: 'application/graphql', body: query }),
    'no type': (query) => ({ type: '', body: JSON.stringify({ query }) }),
  };

  test.each(Object.keys(simpleRequests))('a mutation as %s is rejected and not executed', async (name) => {
    const roomId = await createRoom(alice);
    const { type, body } = simpleRequests[name]?.(mutation(roomId)) ?? {};
    const response = await fetch(parley.url, {
      method: 'POST',
      // As bytes, since fetch adds a content type for a string.
      body: new TextEncoder().encode(body),
      headers: { authorization: `Bearer ${alice.token}`, ...(type ? { 'content-type': type } : {}) },
    });

    expect(await readResult(response)).toMatchObject({
      status: 415,
      errors: [{ extensions: { code: 'BAD_USER_INPUT' } }],
    });
    expect((await page(alice, roomId)).edges).toEqual([]);
  });

  test('a mutation by GET is rejected and not executed', async () => {
    const roomId = await createRoom(alice);
    const response = await get({ query: mutation(roomId) }, { authorization: `Bearer ${alice.token}` });

    expect(response.status).toBe(405);
    expect((await readResult(response)).errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
    expect((await page(alice, roomId)).edges).toEqual([]);
  });

  test('a mutation as JSON is executed, with or without a charset', async () => {
    const roomId = await createRoom(alice);
    const response = await post(JSON.stringify({ query: mutation(roomId) }), {
      'content-type': 'application/json; charset=utf-8',
      authorization: `Bearer ${alice.token}`,
    });

    expect(await readResult(response)).toMatchObject({
      status: 200,
      data: { sendMessage: { __typename: 'SendMessagePayload' } },
    });
    expect((await page(alice, roomId)).edges).toHaveLength(1);
  });

  test('a mutation in a batch of operations is rejected and not executed', async () => {
    const roomId = await createRoom(alice);
    const batch = [{ query: mutation(roomId) }, { query: mutation(roomId) }];
    const response = await post(JSON.stringify(batch), { authorization: `Bearer ${alice.token}` });

    expect(response.status).toBe(400);
    expect((await readResult(response)).errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
    expect((await page(alice, roomId)).edges).toEqual([]);
  });
});

describe('a body', () => {
  /** A valid request of the given size in bytes. */
  const bodyOf = (bytes: number): string => {
    const request = (padding: string) => JSON.stringify({ query: '{ __typename }', variables: { padding } });
    return request('x'.repeat(bytes - request('').length));
  };
  // Node's fetch requires `duplex` for a stream, which is missing in its types.
  const inChunks = (body: string): Promise<Response> => {
    const init: RequestInit & { duplex: 'half' } = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: new Blob([body]).stream(),
      duplex: 'half',
    };
    return fetch(parley.url, init);
  };
  const LIMIT = 64 * 1024;

  test('a body of 64 KiB is accepted, with Content-Length and chunked', async () => {
    const body = bodyOf(LIMIT);

    expect(await readResult(await post(body))).toMatchObject({ status: 200, data: { __typename: 'Query' } });
    const response = await inChunks(body);
    expect(await readResult(response)).toMatchObject({ status: 200, data: { __typename: 'Query' } });
  });

  test('a body of more than 64 KiB is rejected with 413, with Content-Length and chunked', async () => {
    const body = bodyOf(LIMIT + 1);
    const rejected = { status: 413, errors: [{ extensions: { code: 'LIMIT_EXCEEDED' } }] };

    expect(await readResult(await post(body))).toMatchObject(rejected);
    const response = await inChunks(body);
    expect(await readResult(response)).toMatchObject(rejected);
  });

  test.each(['', '{', 'null', '"text"', '{}', '{"query":1}', '{"query":"{ __typename }","variables":[]}'])(
    'a body that is not a GraphQL request (%s) is rejected with 400 and a code',
    async (body) => {
      const response = await post(body, { accept: RESPONSE_JSON });

      expect(response.status).toBe(400);
      expect((await readResult(response)).errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
    },
  );
});

describe('credentials', () => {
  const query = '{ viewer { id } __typename }';

  test.each([
    ['garbage', 'INVALID'],
    ['Bearer', 'INVALID'],
    ['Bearer garbage', 'INVALID'],
    ['Basic YWxpY2U6YQ==', 'INVALID'],
  ])(
    'invalid credentials (%s) cause a coded error, and public fields still run',
    async (authorization, reason) => {
      expect(await readResult(await post(JSON.stringify({ query }), { authorization }))).toMatchObject({
        data: { viewer: null, __typename: 'Query' },
        errors: [{ extensions: { code: 'UNAUTHENTICATED', reason } }],
      });
    },
  );

  test('credentials are accepted with "bearer" in any letter case', async () => {
    const response = await post(JSON.stringify({ query }), { authorization: `bEARER ${alice.token}` });

    expect((await readResult(response)).errors).toBeUndefined();
  });
});

describe('other paths', () => {
  test('/health reports that the process runs', async () => {
    const response = await fetch(`${origin}/health`);

    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ status: 'ok' });
  });

  test('/ready reports every check', async () => {
    const response = await fetch(`${origin}/ready`);

    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      status: 'ready',
      checks: { database: true, bus: true, rateLimits: true, migrations: true },
      bus: {
        droppedEnvelopes: 0,
        forgedEnvelopes: 0,
        refusedSubscribes: 0,
        unpublished: 0,
        timeouts: 0,
        reconnects: 0,
        foreignEvents: 0,
        missedEvents: 0,
      },
    });
  });

  test.each(['/', '/graphql/', '/graphqlx', '/health/x', '/../etc/passwd'])('%s is 404', async (path) => {
    expect((await fetch(`${origin}${path}`)).status).toBe(404);
    expect((await fetch(`${origin}${path}`, { method: 'POST', body: '{}' })).status).toBe(404);
  });
});

test('a message sent over HTTP keeps its exact text', async () => {
  const roomId = await createRoom(alice);
  const text = '  naïve e\u0301 🦊 ‮ \u2028 </script> \\ " \n\t';
  const edge = await send(alice, roomId, text);

  expect(edge.node.text).toBe(text);
  expect((await page(alice, roomId)).edges).toEqual([edge]);
});
