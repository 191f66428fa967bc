// The ring from JavaScript, as WebAssembly: node vectors.mjs ROOST_RING_WASM ring/testdata. Browsers do the same.
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';

const [library, data] = process.argv.slice(2);
const { instance } = await WebAssembly.instantiate(readFileSync(library));
const c = instance.exports;
const bytes = (at, n) => new Uint8Array(c.memory.buffer, at, n); // anew each time: the memory may have grown
const number = (at) => new DataView(c.memory.buffer).getUint32(at, true);
if (!c.roost_ring_abi_serves(1)) throw new Error('the library is of another ABI');

// Runs f with the address of a copy of the bytes in the library's memory.
function copied(from, f) {
  const at = c.malloc(from.length || 1);
  assert(at, 'no memory');
  bytes(at, from.length).set(from);
  try {
    return f(at, from.length);
  } finally {
    c.free(at);
  }
}

const text = (at, n) => new TextDecoder().decode(bytes(at, n).slice());
const name = (code) => text(c.roost_ring_error_text(code), 20).split(':')[0];
const out = c.malloc(64); // results: a handle, or n and four numbers
const info = c.malloc(72); // roost_ring_node_info: 3 texts of 12 bytes, 4 bytes of padding, 24 of numbers
const id = c.malloc(256);

// The handle of a snapshot, a BigInt; or the name of the code.
function load(file) {
  const code = copied(readFileSync(`${data}/snapshots/${file}`), (at, n) => c.roost_ring_load(at, n, out, 0));
  return code ? name(code) : new DataView(c.memory.buffer).getBigUint64(out, true);
}

function nodeID(ring, node) {
  bytes(info, 72).fill(0);
  new Uint32Array(c.memory.buffer, info, 2).set([id, 256]);
  assert.equal(c.roost_ring_node(ring, node, info), 0);
  return text(id, number(info + 8));
}

function firstFour(ring, key) {
  copied(key, (at, n) => c.roost_ring_lookup_n(ring, at, n, out + 16, 4, out));
  const ids = Array.from({ length: number(out) }, (_, i) => nodeID(ring, number(out + 16 + 4 * i)));
  return ids.join() || '-';
}

const rings = new Map();
let agree = 0;
for (const line of readFileSync(`${data}/vectors.tsv`, 'utf8').split('\n')) {
  const [kind, file, ...field] = line.split('\t');
  if (kind === 'load') {
    rings.set(file, load(file));
    assert.equal(typeof rings.get(file), 'bigint', line);
  } else if (kind === 'refuse') {
    assert.equal(load(file), field[0], line);
  } else if (kind === 'lookup') {
    const key = Buffer.from(field[0], 'hex');
    const hash = copied(key, (at, n) => BigInt.asUintN(64, c.roost_ring_hash(at, n)));
    assert.equal(hash.toString(16).padStart(16, '0'), field[1], line);
    assert.equal(firstFour(rings.get(file), key), field[2], line);
  } else {
    continue;
  }
  agree++;
}
for (const ring of rings.values()) {
  assert.equal(c.roost_ring_free(ring), 0);
  assert.equal(name(c.roost_ring_free(ring)), 'HANDLE');
}

// Rings that come and go leave no memory behind.
const grown = c.memory.buffer.byteLength;
for (let i = 0; i < 200; i++) assert.equal(c.roost_ring_free(load('v1/cluster.ring')), 0);
assert.equal(c.memory.buffer.byteLength, grown);
console.log(agree, 'vectors agree');
