// A headless Chromium, driven over the DevTools protocol; and the page that it shows.
import { createReadStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WebSocket as WS } from 'ws';
import { start } from './children.js';
import { until } from './roostd.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const types = { js: 'text/javascript', html: 'text/html; charset=utf-8' };

/** Serves this folder on loopback, on a port of its own. */
export async function serveFolder() {
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url, 'http://h').pathname);
    const type = types[path.split('.').pop()];
    if (!type) return void response.writeHead(404).end();
    response.writeHead(200, { 'content-type': type });
    createReadStream(join(root, path)).on('error', () => response.destroy()).pipe(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => (server.closeAllConnections(), server.close()) };
}

export class Chromium {
  #next = 1;
  #waiting = new Map();
  log = [];

  /** Starts it with a profile of its own. */
  async start() {
    this.profile = mkdtempSync(join(tmpdir(), 'roost-chromium-'));
    const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--disable-background-networking', '--remote-debugging-address=127.0.0.1', '--remote-debugging-port=0', `--user-data-dir=${this.profile}`];
    // A group of its own: the browser has children, and they end with it.
    this.process = start(process.env.CHROMIUM ?? 'chromium', [...flags, 'about:blank'], { stdio: 'ignore', group: true });
    const port = await until('DevTools answer', () => this.#port(), 30_000);
    const pages = await until('a page', async () => (await (await fetch(`http://127.0.0.1:${port}/json`)).json()).filter((page) => page.type === 'page')[0]);
    this.socket = new WS(pages.webSocketDebuggerUrl);
    await once(this.socket, 'open');
    this.socket.on('message', (data) => this.#heard(JSON.parse(data)));
    await this.call('Runtime.enable');
    await this.call('Page.enable');
    return this;
  }

  #port() {
    try {
      return Number(readFileSync(join(this.profile, 'DevToolsActivePort'), 'utf8').split('\n')[0]);
    } catch {
      return 0;
    }
  }

  #heard(m) {
    if (m.id !== undefined) {
      this.#waiting.get(m.id)?.(m);
      this.#waiting.delete(m.id);
    } else if (m.method === 'Runtime.exceptionThrown' || m.method === 'Runtime.consoleAPICalled') this.log.push(JSON.stringify(m.params).slice(0, 1000));
  }

  async call(method, params = {}) {
    const id = this.#next++;
    const answer = new Promise((resolve) => this.#waiting.set(id, resolve));
    this.socket.send(JSON.stringify({ id, method, params }));
    const timer = setTimeout(() => this.#heard({ id, error: { message: `${method}: no answer` } }), 20_000);
    const m = await answer;
    clearTimeout(timer);
    if (m.error) throw new Error(m.error.message);
    return m.result;
  }

  async open(url) {
    await this.call('Page.navigate', { url });
    await until('the page is ready', () => this.run('window.ready === true').catch(() => false));
  }

  /** The value of an expression in the page; promises are waited for. */
  async run(expression) {
    const { result, exceptionDetails } = await this.call('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  async stop() {
    this.socket?.terminate();
    if (this.process.child.exitCode === null) this.process.kill('SIGKILL');
    await this.process.ended;
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
