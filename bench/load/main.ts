import type { Answer, Call, Commands } from './commands.js';
import { type Crowd, openCrowd } from './crowd.js';
import { replay } from './replay.js';
import { sendMessages } from './sends.js';
import { atRate, saturated } from './windows.js';

/** The load: a process of its own, so that it can have a core of its own. One command at a time. */
let crowd: Crowd | null = null;
let rooms = 0;

function standing(): Crowd {
  if (!crowd) throw new Error('Nobody has subscribed');
  return crowd;
}

const commands: Commands = {
  async openCrowd(options) {
    rooms = options.rooms.length;
    crowd = await openCrowd(options);
    return null;
  },
  async closeCrowd() {
    crowd?.close();
    crowd = null;
    return null;
  },
  atRate: ({ perSecond, timing }) => atRate(standing(), rooms, perSecond, timing),
  saturated: ({ outstanding, timing }) => saturated(standing(), rooms, outstanding, timing),
  sendMessages,
  replay,
};

async function answer({ command, options }: Call): Promise<Answer> {
  try {
    // The runner's side of this is typed by `Commands`; between processes there is only JSON.
    return { result: await (commands[command] as (options: unknown) => Promise<unknown>)(options) };
  } catch (error) {
    return { error: String(error) };
  }
}

process.on('message', (call: Call) => void answer(call).then((sent) => process.send?.(sent)));
process.on('disconnect', () => process.exit());
