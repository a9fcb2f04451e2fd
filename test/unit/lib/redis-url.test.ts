import { expect, test } from 'vitest';
import { describeRedis, parseRedisUrl } from '../../../src/lib/redis-url.js';

const shown = (url: string): string => {
  const { username, password, usesTls, ...target } = parseRedisUrl(url);
  return `${username}:${password} ${usesTls ? 'TLS ' : ''}${describeRedis(target as ReturnType<typeof parseRedisUrl>)}`;
};

test.each([
  ['redis://localhost', 'null:null localhost'],
  ['redis://localhost:6380/2', 'null:null localhost:6380, database 2'],
  ['rediss://default:pw@cache.example.com:6379', 'default:pw TLS cache.example.com'],
  ['redis://:pw@h', 'null:pw h'],
  ['redis://user@h', 'user:null h'],
  ['redis://user:p%40ss%2F@h', 'user:p@ss/ h'],
  ['redis://user:100%@h', 'user:100% h'],
  ['redis://user:a@b/c?d#e@h', 'user:a@b/c?d#e h'],
  ['redis://[2001:db8::1]:6380/1', 'null:null 2001:db8::1:6380, database 1'],
  ['redis://h?db=3', 'null:null h, database 3'],
  ['redis://h/', 'null:null h'],
  ['unix:///run/redis/redis.sock', 'null:null /run/redis/redis.sock'],
  ['unix://user:pw@/run/redis.sock?db=1', 'user:pw /run/redis.sock, database 1'],
  ['REDIS://H', 'null:null H'],
])('%s is %s', (url, expected) => {
  expect(shown(url)).toBe(expected);
});

test.each([
  ['http://h', 'it must begin with redis://, rediss:// or unix://'],
  ['h:6379', 'it must begin with redis://, rediss:// or unix://'],
  ['redis://:secret@h/chat', 'its database must be a number'],
  ['redis://:secret@h/1/2', 'its database must be a number'],
  ['redis://:secret@h/-1', 'its database must be a number'],
  ['redis://:secret@h?connectTimeout=100', 'it has the parameter `connectTimeout`'],
  ['redis:///run/redis.sock', 'a Unix socket is written unix:///run/redis.sock'],
  ['unix://run/redis.sock', 'the path of its socket must begin with /'],
  ['redis://h:port', 'its port must be a number'],
  ['redis://h:0', 'its port must be a number'],
])('%s is refused: %s', (url, problem) => {
  expect(() => parseRedisUrl(url)).toThrow(problem);
  expect(() => parseRedisUrl(url)).not.toThrow('secret');
});
