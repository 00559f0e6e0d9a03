import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { LATE, ROWS, STRUCK, become, content, directory, left } from './host.js';

for (const journal of ['DELETE', 'WAL']) {
  test(`open transaction then an outsider is refused (${journal})`, (t) => {
    const { status, stdout, stderr } = become(`transaction-${journal}`, directory(t));
    assert.equal(status, 0, stdout + stderr);
  });
}

test('commit after backup then crash keeps all rows', (t) => {
  const where = directory(t);
  assert.equal(become('commits-and-is-killed', where).signal, 'SIGKILL');
  assert.equal(content(join(where, 'game.db')), `${ROWS + LATE}\nok`);
  assert.equal(content(join(where, 'copy.db')), `${ROWS}\nok`);
});

for (const [life, code] of [['exits-with-a-job', 7], ['exits-at-once-with-jobs', 7], ['throws-with-a-job', 1]]) {
  test(`exit with a job running (${life})`, (t) => {
    const where = directory(t);
    const { status, signal, stderr } = become(life, where);
    assert.deepEqual([status, signal], [code, null], stderr);
    assert.deepEqual(left(where), []);
    assert.equal(content(join(where, 'game.db')), `${ROWS}\nok`);
  });
}

// The test above sees what it is there to see: with the library's protection off the hazard strikes.
const hooks = process.env.LB_BACKUP_HOOKS_LIBRARY;
for (const switches of hooks ? ['', 'no-isolation'] : []) {
  for (const journal of ['DELETE', 'WAL']) {
    test(`with "${switches}" the outsider ${switches ? 'gets in' : 'is refused'} (${journal})`, (t) => {
      const environment = { LB_BACKUP_LIBRARY: hooks, LB_BACKUP_TEST_HOOKS: switches };
      const { status, stdout, stderr } = become(`transaction-${journal}`, directory(t), environment);
      assert.equal(status, switches ? STRUCK : 0, stdout + stderr);
    });
  }
}
