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
  ['http://192.168.1.20:5173', { own: false, listed: false, development: true }],
  ['http://10.0.0.5:3000', { own: false, listed: false, development: true }],
  ['http://172.31.0.1', { own: false, listed: false, development: true }],
  ['http://172.32.0.1', { own: false, listed: false, development: false }],
  ['http://my-mac.local:5173', { own: false, listed: false, development: true }],
  ['http://[fe80::1]:5173', { own: false, listed: false, development: true }],
  ['http://11.0.0.1', { own: false, listed: false, development: false }],
  ['HTTPS://APP.example.com:443', { own: false, listed: true, development: false }],
  ['https://CHAT.example.com:4000', { own: true, listed: true, development: true }],
  ['http://localhost.evil.example', { own: false, listed: false, development: false }],
])('pages of %j may call: %j', (origin, expected) => {
  expect({
    own: isAllowed(origin, production),
    listed: isAllowed(origin, { ...production, ALLOWED_ORIGINS: LISTED }),
    development: isAllowed(origin, {}),
  }).toEqual(expected);
  expect(isAllowed(origin, { ...production, ALLOWED_ORIGINS: '*' })).toBe(true);
});

test.each([
  ['https://chat.example.com', 'chat.example.com:443', true],
  ['https://chat.example.com', 'Chat.Example.COM', true],
  ['http://chat.example.com', 'chat.example.com:80', true],
  ['https://chat.example.com:443', 'chat.example.com', true],
  ['https://chat.example.com', 'chat.example.com:80', false],
  ['http://chat.example.com', 'chat.example.com:443', false],
  ['https://chat.example.com', undefined, false],
])('a page of %j is of the host %j: %s', (origin, host, expected) => {
  expect(isAllowedOrigin(readConfig(production).allowedOrigins, origin, host)).toBe(expected);
});

test.each(['capacitor://localhost', 'tauri://localhost', 'chrome-extension://abcdefgh', 'ionic://localhost'])(
  'an app with the origin %s may call if it is listed',
  (origin) => {
    expect(isAllowed(origin, production)).toBe(false);
    expect(isAllowed(origin, { ...production, ALLOWED_ORIGINS: origin })).toBe(true);
    expect(isAllowed(`${origin}.evil`, { ...production, ALLOWED_ORIGINS: origin })).toBe(false);
  },
);
