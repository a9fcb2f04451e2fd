export { parleyCache } from './cache.js';
export { parleyExchange } from './exchange.js';
