export interface DefaultTab {
  query: string;
  /** JSON. If present, the Variables pane opens with the tab. */
  variables?: string;
}

export interface DefaultTabsOptions {
  /** Global id of the lobby; null if the database has none. */
  lobbyId: string | null;
  /** For the sign-up tab. Must be valid and free, so that the tab can be run unchanged. */
  username: string;
  password: string;
}

/** Placeholder for a room's id if there is no lobby. */
export const ROOM_PLACEHOLDER = 'ROOM_ID';

/**
 * The tabs that GraphiQL opens with: sign up, send, page, subscribe. Each can be run unchanged after the first one; without a
 * lobby, after a room's id has been entered. GraphiQL titles a tab with the name of its operation.
 */
export function defaultTabs({ lobbyId, username, password }: DefaultTabsOptions): DefaultTab[] {
  const roomId = JSON.stringify(lobbyId ?? ROOM_PLACEHOLDER);
  const hint =
    lobbyId === null
      ? `# First replace ${ROOM_PLACEHOLDER} with the id of a\n# room (see CreateRoom).\n#\n`
      : '';
  return [
    { query: signUp(JSON.stringify(username), JSON.stringify(password)) },
    ...(lobbyId === null ? [{ query: CREATE_ROOM }] : []),
    { query: hint + sendMessage(roomId) },
    { query: hint + history(roomId) },
    { query: hint + listen(roomId), variables: '{\n  "after": null\n}' },
  ];
}

const signUp = (username: string, password: string) => `\
# 1. Run this operation (Ctrl-Enter) to sign up
#    a guest. All tabs then send its accessToken
#    with every operation and subscription.
#
#    To act as another user, enter that user's
#    accessToken in the Headers pane, which takes
#    precedence:
#    {"authorization": "Bearer <accessToken>"}
mutation SignUp {
  signUp(
    input: {
      username: ${username}
      password: ${password}
    }
  ) {
    __typename
    ... on AuthPayload {
      accessToken
      accessTokenExpiresAt
      viewer {
        user {
          id
          username
          displayName
        }
      }
    }
    ... on UserError {
      message
    }
  }
}
`;

const CREATE_ROOM = `\
# This server has no lobby. Create a room, then
# use its id in the next tabs.
mutation CreateRoom {
  createRoom(input: { name: "Lobby" }) {
    __typename
    ... on CreateRoomPayload {
      room {
        id
        name
      }
    }
    ... on UserError {
      message
    }
  }
}
`;

const sendMessage = (roomId: string) => `\
# 2. Send a message. Each message gets the next
#    sequence number (seq) of its room: 1, 2, 3 …
mutation SendMessage {
  sendMessage(
    input: {
      roomId: ${roomId}
      text: "Hello from GraphiQL"
    }
  ) {
    __typename
    ... on SendMessagePayload {
      edge {
        cursor
        node {
          id
          seq
          text
          author {
            displayName
          }
        }
      }
    }
    ... on UserError {
      message
    }
  }
}
`;

const history = (roomId: string) => `\
# 3. Read the newest page of the history. For
#    the page before it, add the argument
#    before: "<pageInfo.startCursor>"
query History {
  roomMessages(
    roomId: ${roomId}
    last: 20
  ) {
    edges {
      cursor
      node {
        id
        seq
        type
        text
        createdAt
        author {
          displayName
        }
      }
    }
    pageInfo {
      hasPreviousPage
      hasNextPage
      startCursor
      endCursor
    }
    liveCursor
  }
}
`;

const listen = (roomId: string) => `\
# 4. Run this subscription. Then open this page
#    in another browser tab, sign up there and
#    send a message: it appears here. GraphiQL
#    stops a subscription when you leave its tab.
#
#    To receive the messages since a liveCursor
#    first, enter it in the Variables pane below:
#    {"after": "<liveCursor>"}
#
#    This page reconnects until you stop it, and
#    sets $after to the cursor of each message
#    that it receives: after the first one, no
#    message is lost by a reconnect.
subscription Listen($after: String) {
  messageAdded(
    roomId: ${roomId}
    after: $after
  ) {
    cursor
    node {
      id
      seq
      type
      text
      createdAt
      author {
        displayName
      }
    }
  }
}
`;
