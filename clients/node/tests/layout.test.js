import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import koffi from 'koffi';
import { structures, types } from '../native.js';
import { directory } from './host.js';

test('structures are those of the header', (t) => {
  const include = process.env.LB_BACKUP_INCLUDE ?? join(import.meta.dirname, '../../../include');
  const where = directory(t);
  const asked = [];
  const ours = [];
  for (const [name, members] of Object.entries(structures)) {
    asked.push(`sizeof(${name})`);
    ours.push(koffi.sizeof(types[name]));
    for (const member of Object.keys(members)) {
      asked.push(`offsetof(${name}, ${member})`);
      ours.push(koffi.offsetof(types[name], member));
    }
  }
  const print = asked.map((expression) => `printf("%zu\\n", ${expression});`).join('\n');
  writeFileSync(join(where, 'layout.c'), `#include <lb_backup.h>\n#include <stdio.h>\nint main(void) {\n${print}\n}\n`);
  execFileSync('cc', ['-I', include, join(where, 'layout.c'), '-o', join(where, 'layout')]);
  const theirs = execFileSync(join(where, 'layout'), { encoding: 'utf8' }).trim().split('\n').map(Number);
  assert.deepEqual(asked.map((name, i) => [name, ours[i]]), asked.map((name, i) => [name, theirs[i]]));
});
