import { type DocumentNode, type FragmentDefinitionNode, Kind, parse } from 'graphql';
import { ParleyError } from '../errors.js';
import type { TypedDocumentNode } from '../types.js';

/** What the hook itself needs of every message. */
export interface BaseMessage {
  readonly id: string;
  /** The place in the room: 1, 2, 3 … */
  readonly seq: number;
  readonly revision: number;
  readonly text: string;
  readonly clientMessageId: string | null;
}

export interface Page<Fields> {
  readonly roomMessages: {
    readonly nodes: readonly (BaseMessage & Fields)[];
    readonly pageInfo: { readonly hasPreviousPage: boolean; readonly startCursor: string | null };
    readonly liveCursor: string;
  } | null;
}

export interface RoomEvents<Fields> {
  readonly roomEvents: {
    readonly edge?: { readonly node: BaseMessage & Fields };
    readonly message?: BaseMessage & Fields;
  };
}

export interface SendMessage<Fields> {
  readonly sendMessage: {
    readonly __typename: string;
    readonly edge?: { readonly node: BaseMessage & Fields };
    readonly message?: string;
  };
}

export interface RoomDocuments<Fields> {
  readonly page: TypedDocumentNode<Page<Fields>, { roomId: string; size: number; before?: string | null }>;
  readonly events: TypedDocumentNode<RoomEvents<Fields>, { roomId: string; after?: string | null }>;
  readonly send: TypedDocumentNode<
    SendMessage<Fields>,
    { input: { roomId: string; text: string; clientMessageId: string } }
  >;
}

/**
 * The documents of a room, with the app's fragment in each message.
 *
 * @throws ParleyError `BAD_USER_INPUT` if the document has no fragment on `Message`.
 */
export function roomDocuments<Fields>(fragment: DocumentNode | undefined): RoomDocuments<Fields> {
  const message = `{ id seq revision text clientMessageId ${fragment ? `...${nameOf(fragment)}` : ''} }`;
  const document = (text: string): DocumentNode => {
    const { definitions } = parse(text);
    return { kind: Kind.DOCUMENT, definitions: [...definitions, ...(fragment?.definitions ?? [])] };
  };
  return {
    page: document(`query ParleyRoom($roomId: ID!, $size: Int!, $before: String) {
      roomMessages(roomId: $roomId, last: $size, before: $before) {
        nodes ${message} pageInfo { hasPreviousPage startCursor } liveCursor
      }
    }`),
    events: document(`subscription ParleyRoomEvents($roomId: ID!, $after: String) {
      roomEvents(roomId: $roomId, after: $after) {
        __typename cursor
        ... on MessageAddedEvent { edge { node ${message} } }
        ... on MessageChangedEvent { message ${message} }
      }
    }`),
    send: document(`mutation ParleySend($input: SendMessageInput!) {
      sendMessage(input: $input) {
        __typename
        ... on SendMessagePayload { edge { node ${message} } }
        ... on UserError { message }
      }
    }`),
  };
}

/** The first fragment on `Message`: the others are those that it uses. */
function nameOf({ definitions }: DocumentNode): string {
  const fragment = definitions.find(
    (each): each is FragmentDefinitionNode =>
      each.kind === Kind.FRAGMENT_DEFINITION && each.typeCondition.name.value === 'Message',
  );
  if (!fragment) throw new ParleyError('BAD_USER_INPUT', 'The option `message` needs a fragment on Message.');
  return fragment.name.value;
}
