/** The state of the running subscription, below the results. Screen readers announce its changes. */
const status = document.createElement('output');
status.id = 'subscription-status';

/**
 * @param {'live' | 'waiting'} state
 * @param {string} text
 */
export function showStatus(state, text) {
  status.dataset.state = state;
  status.textContent = text;
  // GraphiQL renders the pane, and may have rendered it again.
  document.querySelector('.graphiql-response')?.append(status);
}

export function hideStatus() {
  status.remove();
}
