import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import {
  connect,
  createRoom,
  type Person,
  page,
  request,
  send,
  signUp,
  subscribe,
} from '../helpers/client.js';
import { ensureProgram } from '../helpers/debian.js';
import { freePort } from '../helpers/free-port.js';
import { startParley, type TestParley } from '../helpers/parley.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';

/** What operators see of an instance, and the rules and the dashboard that read it. */

const run = promisify(execFile);
const root = new URL('../../', import.meta.url);
const read = (name: string) => readFile(new URL(name, root), 'utf8');

let parley: TestParley;
let alice: Person;
let roomId: string;

beforeAll(async () => {
  parley = await startParley();
  alice = await signUp(parley.url);
  roomId = await createRoom(alice);
});

const metricsOf = async (url: string): Promise<string> => (await fetch(new URL('/metrics', url))).text();

/** The value of a series; null if there is none. */
function seriesIn(text: string, series: string): number | null {
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? null : Number(line.slice(series.length + 1));
}

/** The names of all metrics, with those of a histogram's parts. */
function namesIn(text: string): Set<string> {
  return new Set(
    [...text.matchAll(/^# TYPE (\S+) (\w+)$/gm)].flatMap(([, name = '', type]) =>
      type === 'histogram' || type === 'summary'
        ? [name, `${name}_bucket`, `${name}_sum`, `${name}_count`]
        : [name],
    ),
  );
}

test('operations, errors, subscriptions and deliveries are counted', async () => {
  const { liveCursor } = await page(alice, roomId);
  const client = connect(parley.webSocketUrl, { token: alice.token });
  const subscription = subscribe(client, roomId, liveCursor);
  const query = 'query Mine { viewer { id } }';
  for (let count = 0; count < 3; count += 1) await request(parley.url, query, {}, alice.token);
  await request(parley.url, '{ room(id: "x") { id } }');
  await request(parley.url, 'query Rejected { nothing }');
  await send(alice, roomId, 'hello');
  await subscription.received(1);
  await send(alice, roomId, 'again');
  await subscription.received(2);

  const text = await metricsOf(parley.url);
  expect(seriesIn(text, 'parley_operations_total{kind="query",name="Mine"}')).toBe(3);
  expect(seriesIn(text, 'parley_operations_total{kind="rejected",name=""}')).toBe(1);
  expect(text).not.toContain('Rejected');
  expect(seriesIn(text, 'parley_errors_total{code="UNAUTHENTICATED"}')).toBe(1);
  expect(seriesIn(text, 'parley_errors_total{code="BAD_USER_INPUT"}')).toBe(1);
  expect(seriesIn(text, 'parley_subscriptions')).toBe(1);
  expect(seriesIn(text, 'parley_websockets')).toBe(1);
  expect(seriesIn(text, 'parley_watched_rooms')).toBe(1);
  expect(seriesIn(text, 'parley_deliveries_total')).toBe(2);
  expect(seriesIn(text, 'parley_delivered_bytes_total')).toBeGreaterThan(100);
  expect(seriesIn(text, 'parley_delivery_lag_seconds_count')).toBeGreaterThan(0);
  expect(seriesIn(text, 'parley_bus_ready')).toBe(1);
  expect(seriesIn(text, 'parley_operation_duration_seconds_count{kind="query"}')).toBeGreaterThan(3);
});

test('clients cannot make more than a bounded number of series', async () => {
  for (let count = 0; count < 150; count += 1)
    await request(parley.url, `query Name${count} { viewer { id } }`, {}, alice.token);
  const text = await metricsOf(parley.url);
  expect(text.match(/^parley_operations_total\{/gm)?.length).toBeLessThan(120);
  expect(seriesIn(text, 'parley_operations_total{kind="query",name="other"}')).toBeGreaterThan(40);
});

test('in production the public port serves no metrics, and METRICS_PORT does', async () => {
  const port = await freePort();
  const env = { NODE_ENV: 'production', METRICS_PORT: String(port) };
  const production = await startParley({ env });
  expect((await fetch(new URL('/metrics', production.url))).status).toBe(404);
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4');
  expect(namesIn(await response.text())).toContain('parley_websockets');
  expect((await fetch(`http://127.0.0.1:${port}/graphql`)).status).toBe(404);
  await production.stop();
  await expect(fetch(`http://127.0.0.1:${port}/metrics`)).rejects.toThrow();

  const open = await startParley({ env: { NODE_ENV: 'production', METRICS: 'on' } });
  expect(namesIn(await metricsOf(open.url))).toContain('parley_websockets');
  await open.stop();
});

/** The expressions of all panels, with the variable that Grafana fills in. */
async function dashboardExpressions(): Promise<string[]> {
  const { panels } = JSON.parse(await read('deploy/grafana/dashboard.json'));
  return panels.flatMap(({ targets }: { targets: { expr: string }[] }) =>
    targets.map(({ expr }) => expr.replaceAll('$__rate_interval', '5m')),
  );
}

test('every metric that the dashboard and the alerts name exists, and is documented', async () => {
  await request(parley.url, '{ viewer { id } }', {}, alice.token);
  const names = namesIn(await metricsOf(parley.url));
  const texts = [...(await dashboardExpressions()), await read('deploy/prometheus/alerts.yml')].join('\n');
  const used = new Set(texts.match(/\b(?:parley|nodejs|process)_\w+/g));
  expect(used.size).toBeGreaterThan(15);
  expect([...used].filter((name) => !names.has(name))).toEqual([]);
  const documented = await read('docs/operations.md');
  const own = [...names].filter((name) => name.startsWith('parley_') && !/_(?:bucket|sum|count)$/.test(name));
  expect(own.filter((name) => !documented.includes(`\`${name}\``))).toEqual([]);
});

test('Prometheus accepts the alerts and the expressions of the dashboard', async () => {
  const promtool = await ensureProgram('promtool', 'prometheus');
  const folder = temporaryFolder('prometheus');
  const file = join(folder.path, 'dashboard.yml');
  const rules = (await dashboardExpressions()).map((expr, index) => ({ record: `panel:${index}`, expr }));
  // JSON is YAML.
  await writeFile(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
  const alerts = new URL('deploy/prometheus/alerts.yml', root).pathname;
  const { stdout } = await run(promtool, ['check', 'rules', alerts, file]);
  expect(stdout).toContain(`SUCCESS: ${rules.length} rules found`);
  await folder.clear();
}, 120_000);
