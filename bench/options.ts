import { parseArgs } from 'node:util';
import { PARTS, type Part, parseParts } from './workloads.js';

export interface Options {
  readonly quick: boolean;
  readonly withPeers: boolean;
  readonly parts: ReadonlySet<Part>;
  /** Servers under test write their CPU profiles here; null if no profiles were requested. */
  readonly profileFolder: string | null;
}

/**
 * Parses the command line of the bench.
 *
 * @throws Error with a readable message if a flag or a part is unknown.
 */
export function parseOptions(flags: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...flags],
    options: {
      quick: { type: 'boolean', default: false },
      peers: { type: 'boolean', default: false },
      only: { type: 'string' },
      profile: { type: 'string' },
    },
  });
  return {
    quick: values.quick,
    withPeers: values.peers,
    parts: values.only === undefined ? new Set(PARTS) : parseParts(values.only),
    profileFolder: values.profile ?? null,
  };
}
