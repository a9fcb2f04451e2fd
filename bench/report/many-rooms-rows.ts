import { COMPARED_ROOMS, type Heads } from '../measure/heads.js';
import type { Outage } from '../measure/outages.js';
import { OPENED_ROOMS, type Watched } from '../measure/watched.js';
import { faultIn, medianOf, rounded } from './figures.js';
import type { Row } from './table.js';

export function outageRows(outages: readonly Outage[]): readonly Row[] {
  const rooms = outages[0]?.rooms.toLocaleString('en') ?? 'many';
  const common = {
    part: 'outage',
    unit: 'ms',
    better: 'less',
    note: 'sent as fast as possible, 100 at once, through another instance',
    ...faultIn(outages.flatMap(({ faults }) => faults)),
  } as const;
  const outage = `Redis away, ${rooms} rooms with a message each`;
  return [
    {
      ...common,
      workload: `${outage}: from the first send to the last delivery`,
      value: medianOf(outages, ({ lastDelivery }) => lastDelivery),
      must: 2000,
      aim: 1200,
    },
    {
      ...common,
      workload: `${outage}: worst send`,
      value: medianOf(outages, ({ worstSend }) => worstSend),
      must: 300,
      aim: 100,
    },
  ];
}

export function watchedRows(watched: readonly Watched[]): readonly Row[] {
  const common = { part: 'watch', better: 'less' } as const;
  const idleRooms = watched[0]?.idleRooms.toLocaleString('en') ?? 'many';
  return [
    {
      ...common,
      workload: `the first subscription to each of ${OPENED_ROOMS.toLocaleString('en')} rooms: CPU`,
      value: medianOf(watched, ({ openMs }) => openMs),
      unit: 'ms',
      must: 1,
      aim: 0.4,
      note: 'one client, 50 subscriptions per socket',
    },
    {
      ...common,
      workload: `${idleRooms} watched rooms in which nothing happens: CPU`,
      value: medianOf(watched, ({ idlePercent }) => idlePercent),
      unit: '%',
      must: 2,
      aim: 1,
      note: 'of a core, with everything that the process does',
    },
  ];
}

export function headsRows(heads: readonly Heads[]): readonly Row[] {
  const common = { part: 'heads', better: 'less' } as const;
  const count = (of: 'few' | 'many') => heads[0]?.[of].rooms.toLocaleString('en') ?? of;
  const compared = `comparison of ${COMPARED_ROOMS.toLocaleString('en')} heads among ${count('many')} rooms`;
  return [
    {
      ...common,
      workload: `${compared}, as after a failure`,
      value: medianOf(heads, ({ many }) => many.ms),
      unit: 'ms',
      must: 150,
      aim: 30,
      note: 'the time of its statements',
    },
    {
      ...common,
      workload: `${compared}: time against that among ${count('few')}`,
      value: medianOf(heads, ({ few, many }) => many.ms / few.ms),
      unit: 'x',
      must: 1.5,
      aim: null,
      note: `${rounded(medianOf(heads, ({ few }) => few.ms))} ms among ${count('few')}`,
    },
  ];
}
