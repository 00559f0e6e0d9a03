import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import koffi from 'koffi';
import { make, structures, types } from '../native.js';
import { toNative } from '../options.js';
import { toArchiveInfo, toProgress, toResult } from '../values.js';
import { directory } from './host.js';

const include = process.env.LB_BACKUP_INCLUDE;
const header = readFileSync(join(include, 'lb_backup.h'), 'utf8');

test('numbers are those of the header', () => {
  const said = {
    JOB_STATE: (state) => toProgress({ ...make('lb_progress'), state }).state,
    PHASE: (phase) => toProgress({ ...make('lb_progress'), phase }).phase,
    FORMAT: (format) => toResult({ ...make('lb_result'), format }).format ?? 'by name',
    CHECK: (failed_check) => toResult({ ...make('lb_result'), failed_check }).failedCheck ?? 'none',
    KIND: (kind) => toArchiveInfo({ ...make('lb_archive_info'), kind }).kind,
  };
  const heard = {
    FORMAT: (format) => toNative('lb_backup_options', { format }).format,
    EXISTING: (existing) => toNative('lb_backup_options', { existing }).existing,
    VERIFY: (verify) => toNative('lb_verify_options', { verify }).verify,
    DIGEST: (digest) => toNative('lb_backup_options', { digest }).digest,
    PRIORITY: (priority) => toNative('lb_config', { priority }).priority,
  };
  for (const [kinds, compare] of [
    [said, (ask, name, number) => assert.equal(ask(number), name)],
    [heard, (ask, name, number) => assert.equal(ask(name), number)],
  ]) {
    for (const [kind, ask] of Object.entries(kinds)) {
      const found = [...header.matchAll(new RegExp(`\\bLB_${kind}_(\\w+)(?: =)? (\\d+)\\b`, 'g'))];
      assert.ok(found.length >= 2, kind);
      for (const [, name, number] of found) compare(ask, name.toLowerCase().replaceAll('_', ' '), Number(number));
    }
  }
});

test('structures are those of the header', (t) => {
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

test('no chunk has failed where no check has', () => {
  assert.equal(toResult(make('lb_result')).failedChunk, null); // an older library's result ends before
});
