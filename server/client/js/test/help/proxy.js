// Something between client and node: a load balancer whose target changes, a network that cuts anywhere.
import { connect, createServer } from 'node:net';
import { once } from 'node:events';

export class Proxy {
  #pairs = new Set();
  /** 'HOST:PORT' of new connections. */
  target = '';
  /** How many bytes a new connection carries towards the client before it is cut. */
  life = () => Infinity;
  cuts = 0;
  dials = 0;

  async start() {
    this.server = createServer((client) => this.#accept(client));
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    this.url = `ws://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  #accept(client) {
    this.dials++;
    const [host, port] = this.target.split(':');
    const node = connect(Number(port), host);
    const pair = [client, node];
    this.#pairs.add(pair);
    let left = this.life();
    const end = () => {
      this.#pairs.delete(pair);
      for (const socket of pair) socket.destroy();
    };
    for (const socket of pair) socket.on('error', end).on('close', end);
    client.on('data', (data) => node.write(data));
    node.on('data', (data) => {
      client.write(data.subarray(0, Math.min(left, data.length)));
      left -= data.length;
      if (left > 0) return;
      this.cuts++;
      client.end();
      setImmediate(end);
    });
  }

  /** Cuts what there is. */
  cut() {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  stop() {
    this.cut();
    this.server.close();
  }
}
