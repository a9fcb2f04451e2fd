import { expect, test } from 'vitest';
import { readConfig } from '../../../../src/config/index.js';
import { isAllowedOrigin } from '../../../../src/transport/http/origins.js';

const HOST = 'chat.example.com:4000';
const LISTED = 'https://app.example.com';

const production = {
  NODE_ENV: 'production',
  DATABASE_URL: 'postgres://db/parley',
  JWT_SECRET: 'a secret for tests, longer than 32 bytes',
};

const isAllowed = (origin: string, env: Record<string, string>) =>
  isAllowedOrigin(readConfig(env).allowedOrigins, origin, HOST);

test.each([
  ['https://chat.example.com:4000', { own: true, listed: true, development: true }],
  ['http://chat.example.com:4000', { own: true, listed: true, development: true }],
  ['https://chat.example.com', { own: false, listed: false, development: false }],
  [LISTED, { own: false, listed: true, development: false }],
  ['http://app.example.com', { own: false, listed: false, development: false }],
  ['https://app.example.com:8443', { own: false, listed: false, development: false }],
  ['https://app.example.com.evil.example', { own: false, listed: false, development: false }],
  ['https://evil.example', { own: false, listed: false, development: false }],
  ['null', { own: false, listed: false, development: false }],
  ['', { own: false, listed: false, development: false }],
  ['http://localhost:5173', { own: false, listed: false, development: true }],
  ['http://127.0.0.1:5173', { own: false, listed: false, development: true }],
  ['http://[::1]:5173', { own: false, listed: false, development: true }],
  ['http://localhost.evil.example', { own: false, listed: false, development: false }],
])('pages of %j may call: %j', (origin, expected) => {
  expect({
    own: isAllowed(origin, production),
    listed: isAllowed(origin, { ...production, ALLOWED_ORIGINS: LISTED }),
    development: isAllowed(origin, {}),
  }).toEqual(expected);
  expect(isAllowed(origin, { ...production, ALLOWED_ORIGINS: '*' })).toBe(true);
});
