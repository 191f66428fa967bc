// Compiled by types.test.js, never run: what an application writes has to have types.
import { RoostClient, RoostError, localStorageStore, memoryStore, type Position, type Store } from 'roost-client';

class FileStore implements Store {
  async load(): Promise<Position | null> {
    return null;
  }
  async save(position: Position): Promise<void> {
    console.log(position.sid, position.epoch, position.seq);
  }
}

const stores: Store[] = [memoryStore(), localStorageStore('roost'), new FileStore()];
const client = new RoostClient({ url: 'ws://127.0.0.1:8080', device: 'd1', protocol: 'bin', heartbeat: 60, topics: ['fw/eu'], store: stores[0], WebSocket: class {} });

client.onmessage = async (message) => {
  const value: { version: string } = message.json();
  console.log(value.version, message.seq?.toFixed(), message.bytes().length);
};
client.addEventListener('state', (event) => {
  if (event.state === 'connected') console.log(event.welcome?.win);
});
client.addEventListener('skip', ({ from, to, why }) => console.log(to - from, why.length));
client.onstopped = ({ code }) => console.log(code.toFixed());

// @ts-expect-error there is no such event
client.addEventListener('massage', () => {});
// @ts-expect-error there is no such protocol
new RoostClient({ url: 'ws://h', device: 'd', protocol: 'xml' });

export async function run(): Promise<boolean> {
  await client.start();
  try {
    await client.subscribe('fw/eu');
  } catch (error) {
    if (error instanceof RoostError) console.log(error.code);
  }
  const sent: boolean = client.up('state', { battery: 81 });
  await client.stop();
  return sent;
}
