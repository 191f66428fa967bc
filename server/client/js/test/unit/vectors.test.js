// Every vector of docs/vectors.json, both ways, in both forms.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { DEVICE, SERVER, WireError, decode, encode, toBytes } from '../../wire.js';
import { checkName } from '../../subscriptions.js';

const vectors = JSON.parse(readFileSync(new URL('../../../../../docs/vectors.json', import.meta.url), 'utf8'));
const tables = { S: SERVER, D: DEVICE };
const hex = (bytes) => Buffer.from(bytes).toString('hex');
const bytesOf = (text) => new Uint8Array(Buffer.from(text, 'hex'));

// JSON.parse gives values, not how they were written, and no depth. A node may refuse these; a client here cannot.
const beyondJSONParse = [/seq (1\.0|1e3|-0)$/, /nested 65 deep$/];

/** Numbers above 2^53-1 are text in the vectors. */
function fieldsOf(vector) {
  const fields = { ...vector.fields };
  let big = false;
  for (const name of ['r', 'seq']) {
    if (typeof fields[name] !== 'string') continue;
    fields[name] = BigInt(fields[name]);
    big = true;
  }
  return { fields, big };
}

function checkDecoded(m, vector, fields) {
  for (const [name, value] of Object.entries(fields)) {
    if (name === 'raw') continue;
    if (name === 'payload') checkPayload(m, vector, value);
    else if (name === 'r') assert.deepEqual(m.r ?? 0, value);
    else if (typeof value === 'object') checkDecoded(m[name], vector, value);
    else assert.equal(m[name], value, name);
  }
}

function checkPayload(m, vector, value) {
  if (m.payload instanceof Uint8Array || m.payload === undefined) assert.equal(hex(toBytes(m.payload)), value);
  else assert.deepEqual(m.payload, JSON.parse(Buffer.from(value, 'hex').toString()), vector.name);
}

/** The object that the binary form is made of. */
function forBinary(fields) {
  const m = { ...fields };
  delete m.raw;
  if ('payload' in m) m.payload = bytesOf(m.payload);
  return m;
}

function forJSON(fields) {
  const m = { ...fields };
  delete m.raw;
  if (!('payload' in m)) return m;
  const bytes = bytesOf(m.payload);
  if (fields.raw) m.payload = bytes;
  else m.payload = bytes.length ? JSON.parse(Buffer.from(bytes).toString()) : undefined;
  return m;
}

function good(vector) {
  const table = tables[vector.from];
  const { fields, big } = fieldsOf(vector);
  // Numbers of 64 bits: this client never says one, and gets back only what it said.
  if (vector.json !== null && !big) {
    checkDecoded(decode(vector.json, 'json', table), vector, fields);
    if (!vector.accept) assert.deepEqual(JSON.parse(encode(forJSON(fields), 'json', table)), JSON.parse(vector.json));
  }
  if (vector.bin === null) return;
  if (!big || 'r' in fields) checkDecoded(decode(bytesOf(vector.bin), 'bin', table), vector, fields);
  if (!vector.accept && fields.t !== 'welcome') assert.equal(hex(encode(forBinary(fields), 'bin', table)), vector.bin);
}

function bad(vector) {
  const table = tables[vector.from];
  for (const form of ['json', 'bin']) {
    if (vector[form] === null) continue;
    const data = form === 'json' ? vector.json : bytesOf(vector.bin);
    if (vector.error === 'malformed') assert.throws(() => decode(data, form, table), WireError, form);
    else if (vector.error === 'unknown') assert.ok(!Object.hasOwn(table, decode(data, form, table).t));
    else if (vector.error === 'channel') assert.throws(() => checkName(decode(data, form, table).ch, 'channel'), { code: 'channel' });
    else assert.fail(`an error that nobody knows: ${vector.error}`);
  }
}

test(`vectors: all ${vectors.length}`, async (t) => {
  assert.ok(vectors.length > 100);
  for (const vector of vectors) {
    if (beyondJSONParse.some((pattern) => pattern.test(vector.name))) continue;
    await t.test(`${vector.from} ${vector.name}`, () => (vector.error ? bad(vector) : good(vector)));
  }
});

test('binary welcome: byte 1 and the JSON without t', () => {
  const welcome = vectors.find((v) => v.name === 'welcome: resumed');
  assert.equal(hex(encode(welcome.fields, 'bin', SERVER)), welcome.bin);
});

test('each form refuses the other', () => {
  assert.throws(() => decode('{"t":"hb"}', 'bin'), WireError);
  assert.throws(() => decode(Uint8Array.of(0, 0).buffer, 'json'), WireError);
});
