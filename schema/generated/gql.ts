/* eslint-disable */
import * as types from './graphql.js';
import type { TypedDocumentNode as DocumentNode } from '@graphql-typed-document-node/core';

/**
 * Map of all GraphQL operations in the project.
 *
 * This map has several performance disadvantages:
 * 1. It is not tree-shakeable, so it will include all operations in the project.
 * 2. It is not minifiable, so the string of a GraphQL query will be multiple times inside the bundle.
 * 3. It does not support dead code elimination, so it will add unused operations.
 *
 * Therefore it is highly recommended to use the babel or swc plugin for production.
 * Learn more about it here: https://the-guild.dev/graphql/codegen/plugins/presets/preset-client#reducing-bundle-size
 */
type Documents = {
    "mutation CreateRoom($input: CreateRoomInput!) {\n  createRoom(input: $input) {\n    __typename\n    ... on CreateRoomPayload {\n      room {\n        id\n        kind\n        name\n        topic\n      }\n    }\n    ... on UserError {\n      message\n    }\n  }\n}": typeof types.CreateRoomDocument,
    "fragment MessageParts on Message {\n  id\n  seq\n  type\n  text\n  revision\n  clientMessageId\n  createdAt\n  author {\n    id\n    username\n    displayName\n    avatarUrl\n  }\n}\n\nfragment MessageEdgeParts on MessageEdge {\n  cursor\n  node {\n    ...MessageParts\n  }\n}": typeof types.MessagePartsFragmentDoc,
    "mutation JoinRoom($input: JoinRoomInput!) {\n  joinRoom(input: $input) {\n    __typename\n    ... on JoinRoomPayload {\n      room {\n        id\n        name\n        memberCount\n        viewerIsMember\n      }\n    }\n    ... on UserError {\n      message\n    }\n  }\n}": typeof types.JoinRoomDocument,
    "mutation Login($input: LoginInput!) {\n  login(input: $input) {\n    __typename\n    ... on AuthPayload {\n      accessToken\n      accessTokenExpiresAt\n      viewer {\n        id\n        user {\n          id\n          username\n          displayName\n        }\n      }\n    }\n    ... on RateLimitedError {\n      retryAfterMs\n    }\n    ... on UserError {\n      message\n    }\n  }\n}": typeof types.LoginDocument,
    "subscription MessageAdded($roomId: ID!, $after: String) {\n  messageAdded(roomId: $roomId, after: $after) {\n    ...MessageEdgeParts\n  }\n}": typeof types.MessageAddedDocument,
    "subscription RoomEvents($roomId: ID!, $after: String) {\n  roomEvents(roomId: $roomId, after: $after) {\n    __typename\n    cursor\n    occurredAt\n    ... on MessageAddedEvent {\n      edge {\n        ...MessageEdgeParts\n      }\n    }\n    ... on MessageChangedEvent {\n      message {\n        ...MessageParts\n      }\n    }\n    ... on HistoryGapEvent {\n      gapReason\n    }\n  }\n}": typeof types.RoomEventsDocument,
    "query RoomMessages($roomId: ID!, $first: Int, $after: String, $last: Int, $before: String) {\n  roomMessages(\n    roomId: $roomId\n    first: $first\n    after: $after\n    last: $last\n    before: $before\n  ) {\n    edges {\n      ...MessageEdgeParts\n    }\n    pageInfo {\n      hasNextPage\n      hasPreviousPage\n      startCursor\n      endCursor\n    }\n    liveCursor\n  }\n}": typeof types.RoomMessagesDocument,
    "mutation SendMessage($input: SendMessageInput!) {\n  sendMessage(input: $input) {\n    __typename\n    ... on SendMessagePayload {\n      edge {\n        ...MessageEdgeParts\n      }\n    }\n    ... on ValidationError {\n      issues {\n        field\n        code\n        message\n      }\n    }\n    ... on RateLimitedError {\n      retryAfterMs\n    }\n    ... on UserError {\n      message\n    }\n  }\n}": typeof types.SendMessageDocument,
    "mutation SignUp($input: SignUpInput!) {\n  signUp(input: $input) {\n    __typename\n    ... on AuthPayload {\n      accessToken\n      accessTokenExpiresAt\n      viewer {\n        id\n        user {\n          id\n          username\n          displayName\n        }\n      }\n    }\n    ... on ValidationError {\n      issues {\n        field\n        code\n        message\n      }\n    }\n    ... on UserError {\n      message\n    }\n  }\n}": typeof types.SignUpDocument,
    "query Viewer {\n  viewer {\n    id\n    user {\n      id\n      username\n      displayName\n    }\n  }\n}": typeof types.ViewerDocument,
};
const documents: Documents = {
    "mutation CreateRoom($input: CreateRoomInput!) {\n  createRoom(input: $input) {\n    __typename\n    ... on CreateRoomPayload {\n      room {\n        id\n        kind\n        name\n        topic\n      }\n    }\n    ... on UserError {\n      message\n    }\n  }\n}": types.CreateRoomDocument,
    "fragment MessageParts on Message {\n  id\n  seq\n  type\n  text\n  revision\n  clientMessageId\n  createdAt\n  author {\n    id\n    username\n    displayName\n    avatarUrl\n  }\n}\n\nfragment MessageEdgeParts on MessageEdge {\n  cursor\n  node {\n    ...MessageParts\n  }\n}": types.MessagePartsFragmentDoc,
    "mutation JoinRoom($input: JoinRoomInput!) {\n  joinRoom(input: $input) {\n    __typename\n    ... on JoinRoomPayload {\n      room {\n        id\n        name\n        memberCount\n        viewerIsMember\n      }\n    }\n    ... on UserError {\n      message\n    }\n  }\n}": types.JoinRoomDocument,
    "mutation Login($input: LoginInput!) {\n  login(input: $input) {\n    __typename\n    ... on AuthPayload {\n      accessToken\n      accessTokenExpiresAt\n      viewer {\n        id\n        user {\n          id\n          username\n          displayName\n        }\n      }\n    }\n    ... on RateLimitedError {\n      retryAfterMs\n    }\n    ... on UserError {\n      message\n    }\n  }\n}": types.LoginDocument,
    "subscription MessageAdded($roomId: ID!, $after: String) {\n  messageAdded(roomId: $roomId, after: $after) {\n    ...MessageEdgeParts\n  }\n}": types.MessageAddedDocument,
    "subscription RoomEvents($roomId: ID!, $after: String) {\n  roomEvents(roomId: $roomId, after: $after) {\n    __typename\n    cursor\n    occurredAt\n    ... on MessageAddedEvent {\n      edge {\n        ...MessageEdgeParts\n      }\n    }\n    ... on MessageChangedEvent {\n      message {\n        ...MessageParts\n      }\n    }\n    ... on HistoryGapEvent {\n      gapReason\n    }\n  }\n}": types.RoomEventsDocument,
    "query RoomMessages($roomId: ID!, $first: Int, $after: String, $last: Int, $before: String) {\n  roomMessages(\n    roomId: $roomId\n    first: $first\n    after: $after\n    last: $last\n    before: $before\n  ) {\n    edges {\n      ...MessageEdgeParts\n    }\n    pageInfo {\n      hasNextPage\n      hasPreviousPage\n      startCursor\n      endCursor\n    }\n    liveCursor\n  }\n}": types.RoomMessagesDocument,
    "mutation SendMessage($input: SendMessageInput!) {\n  sendMessage(input: $input) {\n    __typename\n    ... on SendMessagePayload {\n      edge {\n        ...MessageEdgeParts\n      }\n    }\n    ... on ValidationError {\n      issues {\n        field\n        code\n        message\n      }\n    }\n    ... on RateLimitedError {\n      retryAfterMs\n    }\n    ... on UserError {\n      message\n    }\n  }\n}": types.SendMessageDocument,
    "mutation SignUp($input: SignUpInput!) {\n  signUp(input: $input) {\n    __typename\n    ... on AuthPayload {\n      accessToken\n      accessTokenExpiresAt\n      viewer {\n        id\n        user {\n          id\n          username\n          displayName\n        }\n      }\n    }\n    ... on ValidationError {\n      issues {\n        field\n        code\n        message\n      }\n    }\n    ... on UserError {\n      message\n    }\n  }\n}": types.SignUpDocument,
    "query Viewer {\n  viewer {\n    id\n    user {\n      id\n      username\n      displayName\n    }\n  }\n}": types.ViewerDocument,
};

/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 *
 *
 * @example
 * ```ts
 * const query = graphql(`query GetUser($id: ID!) { user(id: $id) { name } }`);
 * ```
 *
 * The query argument is unknown!
 * Please regenerate the types.
 */
export function graphql(source: string): unknown;

/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "mutation CreateRoom($input: CreateRoomInput!) {\n  createRoom(input: $input) {\n    __typename\n    ... on CreateRoomPayload {\n      room {\n        id\n        kind\n        name\n        topic\n      }\n    }\n    ... on UserError {\n      message\n    }\n  }\n}"): (typeof documents)["mutation CreateRoom($input: CreateRoomInput!) {\n  createRoom(input: $input) {\n    __typename\n    ... on CreateRoomPayload {\n      room {\n        id\n        kind\n        name\n        topic\n      }\n    }\n    ... on UserError {\n      message\n    }\n  }\n}"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "fragment MessageParts on Message {\n  id\n  seq\n  type\n  text\n  revision\n  clientMessageId\n  createdAt\n  author {\n    id\n    username\n    displayName\n    avatarUrl\n  }\n}\n\nfragment MessageEdgeParts on MessageEdge {\n  cursor\n  node {\n    ...MessageParts\n  }\n}"): (typeof documents)["fragment MessageParts on Message {\n  id\n  seq\n  type\n  text\n  revision\n  clientMessageId\n  createdAt\n  author {\n    id\n    username\n    displayName\n    avatarUrl\n  }\n}\n\nfragment MessageEdgeParts on MessageEdge {\n  cursor\n  node {\n    ...MessageParts\n  }\n}"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "mutation JoinRoom($input: JoinRoomInput!) {\n  joinRoom(input: $input) {\n    __typename\n    ... on JoinRoomPayload {\n      room {\n        id\n        name\n        memberCount\n        viewerIsMember\n      }\n    }\n    ... on UserError {\n      message\n    }\n  }\n}"): (typeof documents)["mutation JoinRoom($input: JoinRoomInput!) {\n  joinRoom(input: $input) {\n    __typename\n    ... on JoinRoomPayload {\n      room {\n        id\n        name\n        memberCount\n        viewerIsMember\n      }\n    }\n    ... on UserError {\n      message\n    }\n  }\n}"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "mutation Login($input: LoginInput!) {\n  login(input: $input) {\n    __typename\n    ... on AuthPayload {\n      accessToken\n      accessTokenExpiresAt\n      viewer {\n        id\n        user {\n          id\n          username\n          displayName\n        }\n      }\n    }\n    ... on RateLimitedError {\n      retryAfterMs\n    }\n    ... on UserError {\n      message\n    }\n  }\n}"): (typeof documents)["mutation Login($input: LoginInput!) {\n  login(input: $input) {\n    __typename\n    ... on AuthPayload {\n      accessToken\n      accessTokenExpiresAt\n      viewer {\n        id\n        user {\n          id\n          username\n          displayName\n        }\n      }\n    }\n    ... on RateLimitedError {\n      retryAfterMs\n    }\n    ... on UserError {\n      message\n    }\n  }\n}"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "subscription MessageAdded($roomId: ID!, $after: String) {\n  messageAdded(roomId: $roomId, after: $after) {\n    ...MessageEdgeParts\n  }\n}"): (typeof documents)["subscription MessageAdded($roomId: ID!, $after: String) {\n  messageAdded(roomId: $roomId, after: $after) {\n    ...MessageEdgeParts\n  }\n}"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "subscription RoomEvents($roomId: ID!, $after: String) {\n  roomEvents(roomId: $roomId, after: $after) {\n    __typename\n    cursor\n    occurredAt\n    ... on MessageAddedEvent {\n      edge {\n        ...MessageEdgeParts\n      }\n    }\n    ... on MessageChangedEvent {\n      message {\n        ...MessageParts\n      }\n    }\n    ... on HistoryGapEvent {\n      gapReason\n    }\n  }\n}"): (typeof documents)["subscription RoomEvents($roomId: ID!, $after: String) {\n  roomEvents(roomId: $roomId, after: $after) {\n    __typename\n    cursor\n    occurredAt\n    ... on MessageAddedEvent {\n      edge {\n        ...MessageEdgeParts\n      }\n    }\n    ... on MessageChangedEvent {\n      message {\n        ...MessageParts\n      }\n    }\n    ... on HistoryGapEvent {\n      gapReason\n    }\n  }\n}"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "query RoomMessages($roomId: ID!, $first: Int, $after: String, $last: Int, $before: String) {\n  roomMessages(\n    roomId: $roomId\n    first: $first\n    after: $after\n    last: $last\n    before: $before\n  ) {\n    edges {\n      ...MessageEdgeParts\n    }\n    pageInfo {\n      hasNextPage\n      hasPreviousPage\n      startCursor\n      endCursor\n    }\n    liveCursor\n  }\n}"): (typeof documents)["query RoomMessages($roomId: ID!, $first: Int, $after: String, $last: Int, $before: String) {\n  roomMessages(\n    roomId: $roomId\n    first: $first\n    after: $after\n    last: $last\n    before: $before\n  ) {\n    edges {\n      ...MessageEdgeParts\n    }\n    pageInfo {\n      hasNextPage\n      hasPreviousPage\n      startCursor\n      endCursor\n    }\n    liveCursor\n  }\n}"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "mutation SendMessage($input: SendMessageInput!) {\n  sendMessage(input: $input) {\n    __typename\n    ... on SendMessagePayload {\n      edge {\n        ...MessageEdgeParts\n      }\n    }\n    ... on ValidationError {\n      issues {\n        field\n        code\n        message\n      }\n    }\n    ... on RateLimitedError {\n      retryAfterMs\n    }\n    ... on UserError {\n      message\n    }\n  }\n}"): (typeof documents)["mutation SendMessage($input: SendMessageInput!) {\n  sendMessage(input: $input) {\n    __typename\n    ... on SendMessagePayload {\n      edge {\n        ...MessageEdgeParts\n      }\n    }\n    ... on ValidationError {\n      issues {\n        field\n        code\n        message\n      }\n    }\n    ... on RateLimitedError {\n      retryAfterMs\n    }\n    ... on UserError {\n      message\n    }\n  }\n}"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "mutation SignUp($input: SignUpInput!) {\n  signUp(input: $input) {\n    __typename\n    ... on AuthPayload {\n      accessToken\n      accessTokenExpiresAt\n      viewer {\n        id\n        user {\n          id\n          username\n          displayName\n        }\n      }\n    }\n    ... on ValidationError {\n      issues {\n        field\n        code\n        message\n      }\n    }\n    ... on UserError {\n      message\n    }\n  }\n}"): (typeof documents)["mutation SignUp($input: SignUpInput!) {\n  signUp(input: $input) {\n    __typename\n    ... on AuthPayload {\n      accessToken\n      accessTokenExpiresAt\n      viewer {\n        id\n        user {\n          id\n          username\n          displayName\n        }\n      }\n    }\n    ... on ValidationError {\n      issues {\n        field\n        code\n        message\n      }\n    }\n    ... on UserError {\n      message\n    }\n  }\n}"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "query Viewer {\n  viewer {\n    id\n    user {\n      id\n      username\n      displayName\n    }\n  }\n}"): (typeof documents)["query Viewer {\n  viewer {\n    id\n    user {\n      id\n      username\n      displayName\n    }\n  }\n}"];

export function graphql(source: string) {
  return (documents as any)[source] ?? {};
}

export type DocumentType<TDocumentNode extends DocumentNode<any, any>> = TDocumentNode extends DocumentNode<  infer TType,  any>  ? TType  : never;