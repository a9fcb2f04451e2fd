/** @import { Tab } from './graphiql.js' */

/** The parts of the HTML page that the scripts need. */

/**
 * @param {string} id
 * @returns {HTMLElement}
 * @throws {Error} if the page has no such element.
 */
export function elementById(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`The page has no element #${id}.`);
  return element;
}

/**
 * The folder of the assets, and the default tabs.
 *
 * @type {{ assets: string, tabs: Tab[] }}
 */
export const { assets, tabs } = JSON.parse(elementById('config').textContent);
