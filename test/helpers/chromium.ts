import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

/** Debian's package without a user interface, whose pages need a third of the time, and the one with it. */
const HEADLESS_SHELL = { path: '/usr/bin/chromium-headless-shell', package: 'chromium-headless-shell' };
const DESKTOP_PATH = '/usr/bin/chromium';
const INSTALL_HINT =
  'This test drives Chromium: set CHROMIUM_PATH to a Chromium or Chrome binary, or install one (Debian: apt-get install chromium-headless-shell).';

/**
 * Starts a headless Chromium that sends no requests of its own, so that a test can attribute every request to its page. Uses
 * CHROMIUM_PATH or Debian's headless shell, which it installs if needed (as root, or with a sudo that asks for no password).
 *
 * @throws Error that says how to install Chromium if there is none.
 */
export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: findChromium(),
    args: [
      '--no-sandbox', // CI runs as root, where Chromium refuses to start without this
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

function findChromium(): string {
  const chosen = process.env.CHROMIUM_PATH;
  if (chosen !== undefined) {
    if (isExecutable(chosen)) return chosen;
    throw new Error(`CHROMIUM_PATH (${chosen}) is not executable. ${INSTALL_HINT}`);
  }
  if (!isExecutable(HEADLESS_SHELL.path)) installFromDebian();
  const found = [HEADLESS_SHELL.path, DESKTOP_PATH].find(isExecutable);
  if (found === undefined) throw new Error(INSTALL_HINT);
  return found;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Fails silently: the caller looks for the binary afterwards, and reports if there is none. */
function installFromDebian(): void {
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  try {
    // Another test file may be installing it too.
    const apt = [...asRoot, 'apt-get', '-q', '-o', 'DPkg::Lock::Timeout=120'];
    run([...apt, 'update']);
    run([...apt, 'install', '-y', '--no-install-recommends', HEADLESS_SHELL.package]);
  } catch {}
}

function run([command = '', ...args]: string[]): void {
  execFileSync(command, args, { stdio: 'ignore', timeout: 240_000 });
}
