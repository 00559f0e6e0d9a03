import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { LATE, ROWS, STRUCK, become, content, directory, left, outside } from './host.js';

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

test('library that is not there, or is another', (t) => {
  for (const [library, says] of [['/none.so', /\/none\.so: .*No such file/], ['libm.so.6', /libm\.so\.6: .*lb_backup_start/]]) {
    const { status, stderr } = become('waits-for-nothing', directory(t), { LB_BACKUP_LIBRARY: library });
    assert.equal(status, 1);
    assert.match(stderr, says);
  }
});

// Nobody asks how these jobs end: the first keeps its process alive until it has ended, the other is told of in the end.
test('job that is not waited for', (t) => {
  const where = directory(t);
  const { status, stderr } = become('waits-for-nothing', where);
  assert.equal(status, 0, stderr);
  assert.equal(content(join(where, 'copy.db')), `${ROWS}\nok`);
  assert.match(stderr, /LbBackupWarning: nobody asked how a job ended: .*locked\.db/);
});

// The tests above see what they are there to see: with the library's protection off the hazard strikes.
const hooks = process.env.LB_BACKUP_HOOKS_LIBRARY;
for (const switches of hooks ? ['', 'no-isolation'] : []) {
  const environment = { LB_BACKUP_LIBRARY: hooks, LB_BACKUP_TEST_HOOKS: switches };
  for (const journal of ['DELETE', 'WAL']) {
    test(`with "${switches}" the outsider ${switches ? 'gets in' : 'is refused'} (${journal})`, (t) => {
      const { status, stdout, stderr } = become(`transaction-${journal}`, directory(t), environment);
      assert.equal(status, switches ? STRUCK : 0, stdout + stderr);
    });
  }
  test(`with "${switches}" a crash ${switches ? 'takes rows' : 'keeps all rows'}`, (t) => {
    const where = directory(t);
    assert.equal(become('commits-and-is-killed', where, environment).signal, 'SIGKILL');
    const rows = Number(outside(join(where, 'game.db'), 'SELECT count(*) FROM t'));
    t.diagnostic(`${rows} rows of ${ROWS + LATE}`);
    assert.equal(rows < ROWS + LATE, Boolean(switches));
  });
}
