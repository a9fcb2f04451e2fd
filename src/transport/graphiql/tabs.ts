export interface OpeningTab {
  query: string;
}

export interface OpeningTabsOptions {
  /** Global id of the lobby; null where the database has none. */
  lobbyId: string | null;
  /** For the sign-up tab: must be free and valid, as the tab is to be run as it stands. */
  username: string;
  password: string;
}

/** Stands in for a room's id where there is no lobby. */
export const ROOM_PLACEHOLDER = 'ROOM_ID';

/**
 * What GraphiQL opens with: sign up, send, page, subscribe. Each runs as it stands once the first one did
 * (without a lobby, once a room's id was put in). GraphiQL titles a tab by its operation's name.
 */
export function openingTabs({ lobbyId, username, password }: OpeningTabsOptions): OpeningTab[] {
  const roomId = JSON.stringify(lobbyId ?? ROOM_PLACEHOLDER);
  const hint =
    lobbyId === null
      ? `# First put a room's id in place of\n# ${ROOM_PLACEHOLDER} (see CreateRoom).\n#\n`
      : '';
  return [
    signUp(JSON.stringify(username), JSON.stringify(password)),
    ...(lobbyId === null ? [createRoom] : []),
    hint + send(roomId),
    hint + history(roomId),
    hint + listen(roomId),
  ].map((query) => ({ query }));
}

const signUp = (username: string, password: string) => `\
# 1. Run this (Ctrl-Enter) to sign up a guest.
#    This page then uses the accessToken in
#    all its tabs, subscriptions too.
#
#    To be someone else, or in another client:
#    copy an accessToken into the Headers pane:
#    {"authorization": "Bearer …"}
#    What the pane holds wins.
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

const createRoom = `\
# There is no lobby here: create a room,
# and use its id in the next tabs.
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

const send = (roomId: string) => `\
# 2. Say something. Every message gets its
#    room's next seq: 1, 2, 3 …
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
# 3. The newest page. For the one before it:
#    before: "<pageInfo.startCursor>"
query History {
  roomMessages(roomId: ${roomId}, last: 20) {
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
# 4. Run this, then open this page in another
#    browser tab, sign up there and send: it
#    arrives here. (GraphiQL ends a subscription
#    when you leave its tab.)
#
#    Variables {"after": "<liveCursor>"} bring
#    what came since, then go on live. This page
#    moves $after on with every message: from
#    the first on, a lost connection loses none.
subscription Listen($after: String) {
  messageAdded(roomId: ${roomId}, after: $after) {
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
