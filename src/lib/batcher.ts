export interface BatcherOptions<Item, Result> {
  /** Runs a batch, and returns one result per item in the same order. A rejection rejects all of its items. */
  readonly run: (items: readonly Item[]) => Promise<readonly Result[]>;
  /** Maximum cost of a batch; a single item may cost more. */
  readonly maxCost: number;
  /** The cost of an item; 1 by default. */
  readonly costOf?: (item: Item) => number;
  /** Number of batches that may run at once. */
  readonly maxRunning: number;
  /** The least cost of a batch that starts while others run; any by default. Fewer items wait for one of those to end. */
  readonly minCostBeside?: number;
  /** Time after which a batch no longer counts among them, in ms; unlimited by default. */
  readonly slotMs?: number;
  /** Minimum time between the starts of two batches, in ms: the first of many items waits for nothing, the others for this. */
  readonly intervalMs: number;
}

export interface Batcher<Item, Result> {
  /** Adds an item to the next batch, and resolves to its result. */
  run(item: Item): Promise<Result>;
  /** Number of items that wait for their batch. */
  readonly waiting: number;
}

interface Pending<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/** Runs items together that arrive within a short time, or while as many batches run as may. Those that arrive first go first. */
export function createBatcher<Item, Result>(options: BatcherOptions<Item, Result>): Batcher<Item, Result> {
  const {
    run,
    maxCost,
    costOf = () => 1,
    maxRunning,
    minCostBeside = 0,
    slotMs = Infinity,
    intervalMs,
  } = options;
  let waiting: Pending<Item, Result>[] = [];
  let waitingCost = 0;
  let running = 0;
  let startedAt = Number.NEGATIVE_INFINITY;
  let isScheduled = false;

  function schedule(): void {
    if (isScheduled || waiting.length === 0 || running >= maxRunning) return;
    if (running > 0 && waitingCost < minCostBeside) return;
    isScheduled = true;
    const delay = startedAt + intervalMs - performance.now();
    if (delay <= 0) queueMicrotask(start);
    else setTimeout(start, delay);
  }

  function start(): void {
    isScheduled = false;
    startedAt = performance.now();
    running += 1;
    let isCounted = true;
    const free = (): void => {
      clearTimeout(timer);
      if (isCounted) running -= 1;
      isCounted = false;
      schedule();
    };
    const timer = Number.isFinite(slotMs) ? setTimeout(free, slotMs) : undefined;
    void execute(takeBatch()).finally(free);
    schedule();
  }

  function takeBatch(): Pending<Item, Result>[] {
    let cost = 0;
    let end = waiting.findIndex(({ item }, index) => {
      cost += costOf(item);
      return index > 0 && cost > maxCost;
    });
    if (end < 0) end = waiting.length;
    const batch = waiting.slice(0, end);
    waiting = waiting.slice(end);
    for (const { item } of batch) waitingCost -= costOf(item);
    return batch;
  }

  async function execute(batch: readonly Pending<Item, Result>[]): Promise<void> {
    try {
      const results = await run(batch.map(({ item }) => item));
      if (results.length !== batch.length)
        throw new Error(`A batch of ${batch.length} items had ${results.length} results.`);
      for (const [index, result] of results.entries()) batch[index]?.resolve(result);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  return {
    run: (item) =>
      new Promise((resolve, reject) => {
        waiting.push({ item, resolve, reject });
        waitingCost += costOf(item);
        schedule();
      }),
    get waiting() {
      return waiting.length;
    },
  };
}
