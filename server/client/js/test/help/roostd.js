// A real roostd: started, asked, killed. ROOSTD is the path of the binary.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { start } from './children.js';

export const binary = process.env.ROOSTD;
if (!binary) throw new Error('ROOSTD is not set: the path of the roostd binary (test.sh builds one)');

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until `ready` is true; what it waited for is in the error. */
export async function until(what, ready, ms = 10_000) {
  const end = performance.now() + ms;
  for (;;) {
    const value = await ready();
    if (value) return value;
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await sleep(10);
  }
}

export class Roostd {
  dataDir = mkdtempSync(join(tmpdir(), 'roost-js-'));
  listen = '127.0.0.1:0';
  api = '127.0.0.1:0';

  constructor(...flags) {
    this.flags = flags;
  }

  /** Starts it; a second time with the same data and the same ports. */
  async start() {
    // Tests dial as fast as they can; those that are about limits say so in their flags.
    const args = ['--accept-rate', '0', '--device-rate', '0', '--inbox', 'file', '--listen', this.listen, '--api', this.api, '--auth', 'none', '--data-dir', this.dataDir, ...this.flags];
    this.process = start(binary, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const { child } = this.process;
    this.log = '';
    child.stderr.on('data', (data) => (this.log = (this.log + data).slice(-10_000)));
    const lines = createInterface({ input: child.stdout });
    const line = await Promise.race([
      new Promise((resolve) => lines.on('line', (text) => text.startsWith('ready ') && resolve(text))),
      this.process.ended.then(() => ''),
      new Promise((resolve) => setTimeout(resolve, 10_000, '').unref()),
    ]);
    const addresses = line.match(/listen=(\S+) api=(\S+)/);
    if (!addresses) throw new Error(`roostd does not get ready: ${line}\n${this.log}`);
    [, this.listen, this.api] = addresses;
    return this;
  }

  get url() {
    return `ws://${this.listen}/v1/connect`;
  }

  async kill(signal = 'SIGKILL') {
    this.process.kill(signal);
    await this.process.ended;
  }

  async remove() {
    const { exitCode, signalCode } = this.process.child;
    if (exitCode === null && signalCode === null) await this.kill();
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  /** The answer of the API as a value; an error if it is one. */
  async ask(method, path, body) {
    const answer = await fetch(`http://${this.api}${path}`, { method, body: body && JSON.stringify(body), signal: AbortSignal.timeout(5000) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text && JSON.parse(text);
  }

  publish(body) {
    return this.ask('POST', '/v1/publish', body);
  }

  /** Stored, or an error: the number that the node has given. */
  async publishKept(device, id, more = {}) {
    const value = await this.publish({ device, class: 'kept', id, payload: id, ...more });
    const seq = value.results?.[0]?.seq;
    if (!Number.isInteger(seq)) throw new Error(`a kept message got no seq: ${JSON.stringify(value)}`);
    return seq;
  }

  device(id) {
    return this.ask('GET', `/v1/devices/${id}`);
  }

  /** Waits until everything is acknowledged. */
  settled(id) {
    return until(`${id} has acknowledged all`, async () => {
      const { seq, acked } = await this.device(id);
      return seq === acked;
    });
  }

  /** An outage, as a publisher sees it: tries until it is answered. */
  async publishSurely(device, id, ms = 20_000) {
    return until(`${id} is stored`, () => this.publishKept(device, id).catch(() => 0), ms);
  }
}
