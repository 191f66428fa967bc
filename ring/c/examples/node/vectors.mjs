// The ring from Node: node vectors.mjs RING_NODE ring/testdata (ring.node is ring.c beside this file, built).
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const [library, data] = process.argv.slice(2);
const ring = createRequire(import.meta.url)(resolve(library));
const load = (name) => ring.load(readFileSync(`${data}/snapshots/${name}`));
const rings = new Map();
let agree = 0;
for (const line of readFileSync(`${data}/vectors.tsv`, 'utf8').split('\n')) {
  const [kind, name, ...field] = line.split('\t');
  if (kind === 'load') {
    rings.set(name, load(name));
  } else if (kind === 'refuse') {
    assert.throws(() => load(name), { code: field[0] }, line);
  } else if (kind === 'lookup') {
    const key = Buffer.from(field[0], 'hex');
    assert.equal(ring.hash(key).toString(16).padStart(16, '0'), field[1], line);
    assert.equal(ring.lookupN(rings.get(name), key, 4).join() || '-', field[2], line);
  } else {
    continue;
  }
  agree++;
}
for (const handle of rings.values()) {
  ring.free(handle);
  assert.throws(() => ring.free(handle), { code: 'HANDLE' });
}
console.log(agree, 'vectors agree');
