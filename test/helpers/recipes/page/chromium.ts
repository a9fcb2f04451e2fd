import type { Row } from '../screen.js';
import { type Environment, type Message, supply } from './environment.js';

/* Prepares the page that a recipe runs in, and records every state of its list of messages. */

declare global {
  interface Window {
    /** Provided by the test. */
    report: Environment['report'];
    /** Everything that the screen has shown. */
    states: Row[][];
  }
}

/** What a recipe without a framework exports. */
interface Recipe {
  readonly pageUp?: () => Promise<void>;
  readonly send?: (text: string) => Promise<void>;
}

window.states = [];

function record(): void {
  const rows = Array.from(document.querySelectorAll('li'), (item) => ({
    text: item.textContent,
    isSending: item.ariaBusy === 'true',
  }));
  const isNew = JSON.stringify(rows) !== JSON.stringify(window.states.at(-1));
  if (isNew) window.states.push(rows);
}

new MutationObserver(record).observe(document, {
  subtree: true,
  childList: true,
  characterData: true,
  attributes: true,
});

const { roomId = '', after = '', speed } = Object.fromEntries(new URL(location.href).searchParams);
supply({ roomId, after, tokenUrl: 'token', speed: Number(speed), WebSocket, report: window.report, show });

function show(messages: readonly Message[]): void {
  const list = document.querySelector('ol') ?? document.body.appendChild(document.createElement('ol'));
  list.replaceChildren(
    ...messages.map(({ text, seq }) => {
      const item = document.createElement('li');
      item.textContent = text;
      if (seq === 0) item.ariaBusy = 'true';
      return item;
    }),
  );
}

/** Gives a recipe without a framework the same buttons that the others have. */
export function connect({ pageUp, send }: Recipe): void {
  if (!pageUp || !send) return;
  const older = document.body.appendChild(document.createElement('button'));
  older.textContent = 'Older';
  older.onclick = pageUp;
  const form = document.body.appendChild(document.createElement('form'));
  const input = form.appendChild(document.createElement('input'));
  input.name = 'text';
  form.onsubmit = (event) => {
    event.preventDefault();
    void send(input.value);
    input.value = '';
  };
}
