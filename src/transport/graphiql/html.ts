import { randomBytes, randomInt } from 'node:crypto';
import { STYLE } from './style.js';
import { defaultTabs } from './tabs.js';

/** SVG, for the tab of the browser and as the logo. */
export const ICON = `\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" width="32" height="32"><path fill="#d60690" d="M6 4h20a4 4 0 0 1 \
4 4v12a4 4 0 0 1-4 4H15l-8 6v-6H6a4 4 0 0 1-4-4V8a4 4 0 0 1 4-4z"/><g fill="#fff"><circle cx="10" cy="14" r="2"/><circle \
cx="16" cy="14" r="2"/><circle cx="22" cy="14" r="2"/></g></svg>`;

/**
 * The HTML of GraphiQL's page. Its scripts are browser/monaco.js and, after GraphiQL's bundle, browser/page.js.
 *
 * @param assets path of the folder of its assets, with a slash at the end.
 * @param lobbyId global id of the room that the default tabs use; null if there is none.
 */
export function renderPage(assets: string, lobbyId: string | null): string {
  const tabs = defaultTabs({ lobbyId, username: `guest${randomSuffix()}`, password: randomPassword() });
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Parley GraphiQL</title>
    <link rel="icon" href="data:image/svg+xml,${encodeURIComponent(ICON)}">
    <link rel="stylesheet" href="${assets}graphiql.css">
    <style>${STYLE}</style>
    <script type="application/json" id="config">${scriptJson({ assets, tabs })}</script>
    <script type="module" src="${assets}monaco.js"></script>
    <script defer src="${assets}graphiql.js"></script>
    <script type="module" src="${assets}page.js"></script>
  </head>
  <body class="no-focus-outline">
    <noscript>GraphiQL needs JavaScript.</noscript>
    <template id="logo">${ICON}</template>
    <div id="root"></div>
  </body>
</html>
`;
}

/** JSON that is safe inside a script element, which only `<` could end or turn into a comment. */
function scriptJson(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}

/** One of 60 million, so that the user name is likely to be free. Letters and digits are valid in any user name. */
function randomSuffix(): string {
  return randomInt(36 ** 5)
    .toString(36)
    .padStart(5, '0');
}

/** Random, because a fixed password would let every reader of this file sign in as any guest. */
function randomPassword(): string {
  return randomBytes(12).toString('base64url');
}
