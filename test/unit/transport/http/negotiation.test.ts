import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { preferredEncoding, prefersHtml, resultType } from '../../../../src/transport/http/negotiation.js';

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

describe('the type of a GraphQL response', () => {
  test.each([
    [undefined, 'application/json'],
    ['*/*', 'application/json'],
    ['image/png, application/*', 'application/json'],
    ['application/graphql-response+json, application/json;q=0.9', 'application/graphql-response+json'],
    ['application/json;q=0.1, application/graphql-response+json', 'application/json'],
    ['image/png', null],
    ['application/json;charset=utf-8', null],
  ])('the type of a GraphQL response for %s is %s', (accept, type) => {
    expect(resultType(accept)).toBe(type);
  });
});
