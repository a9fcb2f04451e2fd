import { catchUp } from './catch-up.js';
import type { Answer, Call, Commands } from './commands.js';
import { type Crowd, openCrowd } from './crowd.js';
import { sendMessages } from './send-messages.js';
import { sendSeries } from './send-series.js';
import { openWatch, type Watch } from './watch.js';
import { atRate, saturated } from './windows.js';

/** The load generator: a separate process, so that it can run on another core. It runs one command at a time. */
let crowd: Crowd | null = null;
let rooms = 0;
let watch: Watch | null = null;

function openedCrowd(): Crowd {
  if (!crowd) throw new Error('No crowd is open');
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
  atRate: ({ perSecond, timing }) => atRate(openedCrowd(), rooms, perSecond, timing),
  saturated: ({ outstanding, timing }) => saturated(openedCrowd(), rooms, outstanding, timing),
  sendMessages,
  async openWatch(options) {
    watch = await openWatch(options);
    return null;
  },
  async sendToEach(options) {
    if (!watch) throw new Error('No rooms are watched');
    return watch.sendToEach(options);
  },
  sendSeries,
  catchUp,
};

async function answer({ command, options }: Call): Promise<Answer> {
  try {
    // The caller is typed by `Commands`; the message between the processes is plain JSON.
    return { result: await (commands[command] as (options: unknown) => Promise<unknown>)(options) };
  } catch (error) {
    return { error: String(error) };
  }
}

process.on('message', (call: Call) => void answer(call).then((sent) => process.send?.(sent)));
process.on('disconnect', () => process.exit());
