// The types: of the declaration, against what an application writes, and of the code itself.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const strict = ['--noEmit', '--strict', '--target', 'es2022', '--module', 'nodenext', '--lib', 'es2023,dom,dom.iterable'];

function tsc(...args) {
  const run = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', ...strict, ...args], { cwd: root, encoding: 'utf8', timeout: 60_000 });
  assert.equal(run.status, 0, run.stdout + run.stderr);
}

test('the declaration fits what an application writes', () => tsc('--skipLibCheck', 'false', 'test/unit/example.ts'));
test('the code is sound under --strict', () => tsc('--allowJs', '--checkJs', 'roost.js'));

test('the declaration and the module export the same', async () => {
  const declared = spawnSync('grep', ['-oP', '^export (class|function) \\K\\w+', 'roost.d.ts'], { cwd: root, encoding: 'utf8' }).stdout.trim().split('\n');
  const module = await import('../../roost.js');
  assert.deepEqual(Object.keys(module).sort(), declared.sort());
});
