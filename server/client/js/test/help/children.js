// Processes that a test starts end with it, also when the test runner cuts it short.
import { spawn } from 'node:child_process';
import { once } from 'node:events';

const alive = new Set();

function endAll() {
  for (const pid of alive) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has just ended by itself.
    }
  }
}
process.once('exit', endAll);
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.once(signal, () => process.exit(1));

/** Like spawn; `ended` is a promise. With `group` its own children end with it. */
export function start(command, args, { group = false, ...options } = {}) {
  const child = spawn(command, args, { ...options, detached: group });
  const pid = group ? -child.pid : child.pid;
  alive.add(pid);
  const ended = once(child, 'exit').then(() => alive.delete(pid));
  return { child, ended, kill: (signal) => process.kill(pid, signal) };
}
