import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import {
  acceptedTypes,
  mediaTypeOf,
  preferredEncoding,
  prefersHtml,
} from '../../../../src/transport/http/negotiation.js';

function requestWith(headers: Record<string, string | undefined>): IncomingMessage {
  return Object.assign(new IncomingMessage(new Socket()), { headers });
}

describe('HTML', () => {
  test.each([
    'text/html',
    'TEXT/HTML',
    'text/html;charset=utf-8',
    'text/html;level=1',
    'text/html ; level=1 ; q=1, */*;q=0.1',
    'text/html;level=1, text/html',
    'application/json;q=0.9, text/html',
    'text/html, */*',
    'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
  ])('HTML is preferred for %s', (accept) => {
    expect(prefersHtml(requestWith({ accept }))).toBe(true);
  });

  test.each([
    undefined,
    '',
    '*/*',
    'text/*',
    'image/png',
    'text/html;q=0',
    'text/html;level=1;q=0',
    'text/html;q=nonsense',
    'text/html, application/json',
    'application/json, text/html',
    'application/json, text/html, application/graphql-response+json',
    'text/html;q=0.5, application/json',
    'text/html;q=0.5, */*',
    'text/html, text/event-stream',
    ';,;q=,=,text',
  ])('HTML is not preferred for %s', (accept) => {
    expect(prefersHtml(requestWith({ accept }))).toBe(false);
  });
});

describe('the encoding', () => {
  test.each([
    [undefined, 'identity'],
    ['', 'identity'],
    ['deflate, zstd', 'identity'],
    ['gzip, deflate, br, zstd', 'br'],
    ['GZIP', 'gzip'],
    ['gzip, br;q=0.5', 'gzip'],
    ['br;q=0, gzip', 'gzip'],
    ['br;q=0, gzip;q=0', 'identity'],
    ['identity, br;q=0.5', 'identity'],
    ['identity;q=0', 'identity'],
    [';,;q=,=', 'identity'],
  ])('the encoding for %s is %s', (header, encoding) => {
    expect(preferredEncoding(requestWith({ 'accept-encoding': header }))).toBe(encoding);
  });
});

describe('the types of a GraphQL response', () => {
  const RESPONSE_JSON = 'application/graphql-response+json';

  test.each<[string | undefined, string | null, boolean]>([
    [undefined, 'application/json', true],
    ['', 'application/json', true],
    ['*/*', 'application/json', true],
    ['image/png, application/*', 'application/json', false],
    ['application/*;q=0.1', 'application/json', false],
    [' APPLICATION/Json ; Q=0.5', 'application/json', false],
    [`${RESPONSE_JSON}, application/json;q=0.9`, RESPONSE_JSON, false],
    [`application/json;q=0.1, ${RESPONSE_JSON}`, RESPONSE_JSON, false],
    [`application/json, ${RESPONSE_JSON}`, 'application/json', false],
    [`*/*;q=0.5, ${RESPONSE_JSON}`, RESPONSE_JSON, true],
    [`application/json;q=0, ${RESPONSE_JSON}`, RESPONSE_JSON, false],
    ['application/json;q=0, */*', RESPONSE_JSON, true],
    ['text/event-stream;q=0, */*', 'application/json', false],
    ['text/event-stream', 'text/event-stream', true],
    ['Text/Event-Stream ;charset=utf-8', 'text/event-stream', true],
    ['text/*', 'text/event-stream', true],
    ['text/event-stream, application/json;q=0.1', 'application/json', true],
    ['application/json;charset=utf-8', 'application/json', false],
    ['application/json; Charset="UTF-8"', 'application/json', false],
    [`${RESPONSE_JSON}; charset=utf-8, application/json; charset=utf-8`, RESPONSE_JSON, false],
    [
      'multipart/mixed;boundary="graphql, a";subscriptionSpec=1.0,application/json',
      'application/json',
      false,
    ],
    ['multipart/mixed', 'multipart/mixed', false],
    ['application/json;charset=latin1', null, false],
    ['application/json;q=0', null, false],
    ['*/*;q=0', null, false],
    ['image/png', null, false],
    [';,;q=,=,json', null, false],
  ])(
    'the types of a GraphQL response for %s are %s, and an event stream: %s',
    (accept, single, eventStream) => {
      expect(acceptedTypes(accept)).toEqual({ single, eventStream });
    },
  );
});

describe('the media type of a header', () => {
  test.each([
    ['application/json', 'application/json'],
    ['Application/JSON ;charset=utf-8', 'application/json'],
    ['\tapplication/json\t; a="b;c"', 'application/json'],
    ['application/json;', 'application/json'],
    ['text/plain; application/json', 'text/plain'],
    ['', null],
    [undefined, null],
  ])('the media type of %s is %s', (value, type) => {
    expect(mediaTypeOf(value)).toBe(type);
  });
});
