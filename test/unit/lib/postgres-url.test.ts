import { expect, test } from 'vitest';
import { describePostgres, parsePostgresUrl } from '../../../src/lib/postgres-url.js';

/** The essential parts of an address, as text. */
function shown(url: string): string {
  const { username, password, hosts, database, tls, ...rest } = parsePostgresUrl(url);
  const where = hosts.map(({ host, port }) => `${host} ${port}`).join(', ');
  const others = Object.entries({
    tls: tls.mode,
    ca: tls.rootCertificate,
    target: rest.targetSessionAttributes,
    options: rest.options,
    pooled: rest.isPooled || null,
    ignored: rest.ignored.join(',') || null,
  }).flatMap(([name, value]) => (value === null ? [] : [`${name}=${value}`]));
  return [`${username}:${password}`, where, database, ...others].join(' | ');
}

test.each([
  [
    'Neon',
    'postgresql://alex:AbC123dEf@ep-cool-darkness-123456.us-east-2.aws.neon.tech/dbname?sslmode=require&channel_binding=require',
    'alex:AbC123dEf | ep-cool-darkness-123456.us-east-2.aws.neon.tech 5432 | dbname | tls=require | ignored=channel_binding',
  ],
  [
    'Neon, pooled',
    'postgresql://alex:AbC123dEf@ep-cool-darkness-123456-pooler.us-east-2.aws.neon.tech/dbname?sslmode=require',
    'alex:AbC123dEf | ep-cool-darkness-123456-pooler.us-east-2.aws.neon.tech 5432 | dbname | tls=require | pooled=true',
  ],
  [
    'Neon without SNI',
    'postgres://alex:pw@ep-x.neon.tech/db?sslmode=require&options=endpoint%3Dep-x',
    'alex:pw | ep-x.neon.tech 5432 | db | tls=require | options=endpoint=ep-x',
  ],
  [
    'Supabase, direct',
    'postgresql://postgres:[YOUR-PASSWORD]@db.abcdefghijkl.supabase.co:5432/postgres',
    'postgres:[YOUR-PASSWORD] | db.abcdefghijkl.supabase.co 5432 | postgres | tls=prefer',
  ],
  [
    'Supabase, transaction pooler',
    'postgres://postgres.apbkobhfnmcqqzqeeqss:p@ss/w?rd#1@aws-0-eu-west-1.pooler.supabase.com:6543/postgres?pgbouncer=true&connection_limit=1',
    'postgres.apbkobhfnmcqqzqeeqss:p@ss/w?rd#1 | aws-0-eu-west-1.pooler.supabase.com 6543 | postgres | tls=prefer | pooled=true | ignored=connection_limit',
  ],
  [
    'Supabase, session pooler',
    'postgres://postgres.ref:pw@aws-0-eu-west-1.pooler.supabase.com:5432/postgres?supa=base-pooler.x',
    'postgres.ref:pw | aws-0-eu-west-1.pooler.supabase.com 5432 | postgres | tls=prefer | ignored=supa',
  ],
  [
    'RDS',
    'postgres://app:p%40ss%2Fword@mydb.c9akciq32.eu-west-1.rds.amazonaws.com:5432/parley?sslmode=verify-full&sslrootcert=/etc/rds/global-bundle.pem',
    'app:p@ss/word | mydb.c9akciq32.eu-west-1.rds.amazonaws.com 5432 | parley | tls=verify-full | ca=/etc/rds/global-bundle.pem',
  ],
  [
    'Heroku',
    'postgres://uabc:p0123@ec2-1-2-3-4.compute-1.amazonaws.com:5432/d123',
    'uabc:p0123 | ec2-1-2-3-4.compute-1.amazonaws.com 5432 | d123 | tls=prefer',
  ],
  [
    'Fly',
    'postgres://app:pw@app-db.flycast:5432/app?sslmode=disable',
    'app:pw | app-db.flycast 5432 | app | tls=disable',
  ],
  ['Render', 'postgresql://u:pw@dpg-cabc123-a/app_ab12', 'u:pw | dpg-cabc123-a 5432 | app_ab12 | tls=prefer'],
  [
    'the socket of Cloud SQL',
    'postgresql://u:pw@/app?host=/cloudsql/project:europe-west1:instance',
    'u:pw | /cloudsql/project:europe-west1:instance 5432 | app | tls=prefer',
  ],
  [
    'the socket of Cloud SQL, with a host that is not used',
    'postgresql://u:pw@localhost/app?host=/cloudsql/project:europe-west1:instance&port=5433',
    'u:pw | /cloudsql/project:europe-west1:instance 5433 | app | tls=prefer',
  ],
  [
    'an encoded folder',
    'postgres://u@%2Fvar%2Frun%2Fpostgresql:5433/db',
    'u:null | /var/run/postgresql 5433 | db | tls=prefer',
  ],
  ['nothing but the scheme', 'postgres://', 'null:null | localhost 5432 |  | tls=prefer'],
  [
    'several hosts',
    'postgres://u:pw@one:5432,two:5433,three/db?target_session_attrs=read-write&sslmode=prefer',
    'u:pw | one 5432, two 5433, three 5432 | db | tls=prefer | target=read-write',
  ],
  [
    'several hosts as parameters',
    'postgres:///db?host=one,two&port=5432,5433&user=u&password=a%26b&target_session_attrs=any',
    'u:a&b | one 5432, two 5433 | db | tls=prefer',
  ],
  [
    'IPv6',
    'postgres://u:pw@[2001:db8::1]:5433,[::1]/db',
    'u:pw | 2001:db8::1 5433, ::1 5432 | db | tls=prefer',
  ],
  ['a percent sign', 'postgres://u:100%@h/db', 'u:100% | h 5432 | db | tls=prefer'],
  ['a percent sign beside a code', 'postgres://u:100%%40@h/db', 'u:100%@ | h 5432 | db | tls=prefer'],
  [
    'Prisma',
    'postgres://u:pw@h:5432/db?schema=public&sslaccept=strict',
    'u:pw | h 5432 | db | tls=prefer | ignored=schema,sslaccept',
  ],
  [
    'JDBC',
    'postgresql://h/db?user=u&password=pw&ssl=true&currentSchema=chat',
    'u:pw | h 5432 | db | tls=require | ignored=currentSchema',
  ],
  [
    'options',
    'postgres://u@h/db?options=-c%20work_mem%3D8MB%20-c%20jit%3Doff',
    'u:null | h 5432 | db | tls=prefer | options=-c work_mem=8MB -c jit=off',
  ],
  [
    'a root certificate',
    'postgres://u@h/db?sslmode=require&sslrootcert=ca.pem',
    'u:null | h 5432 | db | tls=verify-ca | ca=ca.pem',
  ],
  [
    'the certificates of the system',
    'postgres://u@h/db?sslrootcert=system',
    'u:null | h 5432 | db | tls=verify-full | ca=system',
  ],
  ['encryption alone', 'postgres://u@h/db?sslmode=no-verify', 'u:null | h 5432 | db | tls=require'],
  [
    'what only libpq knows',
    'postgres://u@h/db?gssencmode=disable&keepalives=1&tcp_user_timeout=5&load_balance_hosts=random',
    'u:null | h 5432 | db | tls=prefer | ignored=gssencmode,keepalives,tcp_user_timeout,load_balance_hosts',
  ],
])('%s', (_name, url, expected) => {
  expect(shown(url)).toBe(expected);
});

test.each([
  ['mysql://h/db', 'it must begin with postgres:// or postgresql://'],
  ['db', 'it must begin with postgres:// or postgresql://'],
  ['postgres://u:secret@h:port/db', 'its port must be a number from 1 to 65535'],
  ['postgres://u:secret@h:0/db', 'its port must be a number from 1 to 65535'],
  ['postgres://u:secret@h:70000/db', 'its port must be a number from 1 to 65535'],
  ['postgres://u:secret@2001:db8::1/db', 'an IPv6 address needs brackets'],
  [
    'postgres://u:secret@h/db?sslmode=on',
    'its sslmode must be one of disable, allow, prefer, require, verify-ca, verify-full',
  ],
  [
    'postgres://u:secret@h/db?target_session_attrs=writable',
    'its target_session_attrs must be any or one of',
  ],
  ['postgres://u:secret@h/db?connect_timeout=soon', 'its connect_timeout must be a number of seconds'],
])('%s is refused: %s', (url, problem) => {
  expect(() => parsePostgresUrl(url)).toThrow(problem);
  expect(() => parsePostgresUrl(url)).not.toThrow('secret');
});

test('a description has no secrets', () => {
  const address = parsePostgresUrl('postgres://u:secret@one:5433,two/db?password=secret&sslpassword=secret');
  expect(describePostgres(address)).toBe('one:5433,two/db');
});
