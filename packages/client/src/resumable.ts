import { type DocumentNode, type FieldNode, Kind } from 'graphql';
import { findPath, type Operation, operationOf, responseKey, rootFields } from './documents.js';
import { ParleyError } from './errors.js';

export type Path = readonly string[];

/** Where an event of one type has what resuming needs. */
export interface EventShape {
  readonly cursor: Path | null;
  /** Null if events of this type have no message. */
  readonly seq?: Path | null;
  readonly revision?: Path | null;
}

/** How a subscription is resumed: what its document selects, and under which names. */
export interface Resumable extends Operation {
  readonly field: FieldNode;
  /** The response key of the field. */
  readonly key: string;
  /** The name of the variable that is given to `after`. */
  readonly after: string;
  /** Where `roomEvents` has `__typename`; null in `messageAdded`, whose events are all alike. */
  readonly typename: Path | null;
  /** By type name, the empty name for every other type. */
  readonly shapes: Readonly<Record<string, EventShape>>;
}

/** The types that a fragment may name without leaving any event out. */
const COMMON_TYPES = ['RoomEvent', 'MessageEdge', 'Message', 'Node'];

/** Where each type of event has its message; null if it has none. */
const MESSAGE_PATHS: Readonly<Record<string, Readonly<Record<string, Path | null>>>> = {
  messageAdded: { '': ['node'] },
  roomEvents: {
    MessageAddedEvent: ['edge', 'node'],
    MessageChangedEvent: ['message'],
    CaughtUpEvent: null,
    HistoryGapEvent: null,
  },
};

/**
 * Finds what resuming needs in the document of a subscription.
 *
 * @throws ParleyError `NOT_RESUMABLE`, whose message shows the missing lines.
 */
export function analyzeSubscription(document: DocumentNode): Resumable {
  const operation = operationOf(document);
  const [field] = rootFields(operation);
  const name = field?.name.value ?? '';
  const paths = MESSAGE_PATHS[name];
  if (!field || !paths) throw new ParleyError('NOT_RESUMABLE', `${name} cannot be resumed.`);

  const missing = new Set<string>();
  const find = (type: string, path: Path): Path | null =>
    findPath(field.selectionSet, operation.fragments, path, [...COMMON_TYPES, type]);
  /** Notes the line as missing if it is. */
  const require = (type: string, path: Path, on: Path = []): Path | null => {
    const found = find(type, path);
    const line = [...on, ...path];
    if (!found) missing.add(line.join(' { ') + ' }'.repeat(line.length - 1));
    return found;
  };

  const after = field.arguments?.find((each) => each.name.value === 'after')?.value;
  if (after?.kind !== Kind.VARIABLE) missing.add(`${name}(roomId: $roomId, after: $after)`);
  const typename = paths[''] ? null : require('', ['__typename']);
  const shapes: Record<string, EventShape> = { '': { cursor: find('', ['cursor']) } };
  for (const [type, toMessage] of Object.entries(paths)) {
    const on = type ? [`... on ${type}`] : [];
    shapes[type] = {
      cursor: require(type, ['cursor']),
      seq: toMessage && require(type, [...toMessage, 'seq'], on),
      // `messageAdded` delivers no changes.
      revision: toMessage && type ? require(type, [...toMessage, 'revision'], on) : null,
    };
  }

  if (after?.kind !== Kind.VARIABLE || missing.size > 0)
    throw new ParleyError(
      'NOT_RESUMABLE',
      `${name} cannot be resumed after a cut. Add:\n\n  ${[...missing].join('\n  ')}\n`,
    );
  return { ...operation, field, key: responseKey(field), after: after.name.value, typename, shapes };
}
