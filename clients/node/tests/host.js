// This process's own SQLite, and the world outside. libsql is SQLite in C, with SQLite's locks (fcntl, F_SETLK), which whatever
// drops a process's POSIX locks drops. Run as a program, this file leads the life that its argument names.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'libsql';
import { backup, startBackup } from 'lb_backup';

export const ROWS = 400; // of 1000 bytes
export const LATE = 100;
export const STRUCK = 10;

export class Host {
  constructor(directory, journal = 'WAL', name = 'game.db') {
    this.directory = directory;
    this.path = join(directory, name);
    this.db = new Database(this.path);
    this.db.exec(`PRAGMA journal_mode=${journal}`);
    this.db.exec('PRAGMA wal_autocheckpoint=0');
    this.db.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, payload)');
    this.db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < ${ROWS})
      INSERT INTO t(payload) SELECT randomblob(1000) FROM n`);
  }
  exec(statement) {
    this.db.exec(statement);
  }
  beside(name) {
    return join(this.directory, name);
  }
}

/** A directory for one test. */
export function directory(t) {
  const made = mkdtempSync(join(tmpdir(), 'lb-node-'));
  t.after(() => rmSync(made, { recursive: true }));
  return made;
}

export function newHost(t, journal) {
  const host = new Host(directory(t), journal);
  t.after(() => host.db.close());
  return host;
}

/** What a statement says in another process, which does not wait for locks. */
export function outside(database, statement) {
  const { stdout, stderr } = spawnSync('sqlite3', ['-batch', '-cmd', '.timeout 0', database, statement], { encoding: 'utf8' });
  return (stdout + stderr).trim();
}

export const content = (database) => outside(database, 'SELECT count(*) FROM t; PRAGMA integrity_check');
export const refused = (database) =>
  outside(database, "INSERT INTO t(payload) VALUES('outsider')").includes('database is locked');

/** A backup that its throttle holds in mid-copy until its rate is changed or it is cancelled. */
export async function held(host, name, options) {
  const job = startBackup(host.path, host.beside(name), {
    maxBytesPerSecond: 1, chunkSize: 65536, progressIntervalMs: 1, ...options,
  });
  for await (const progress of job.progress()) if (progress.bytesTotal > 0) return job;
  throw new Error('the backup was not held', { cause: await job.result });
}

export const become = (life, where, environment = {}) =>
  spawnSync(process.execPath, [fileURLToPath(import.meta.url), life, where], {
    encoding: 'utf8', timeout: 60000, env: { ...process.env, ...environment },
  });

/** Says what becomes of the host's write lock while backups run and after them. */
export async function transaction(where, journal) {
  const host = new Host(where, journal);
  host.exec('BEGIN IMMEDIATE');
  host.exec("INSERT INTO t(payload) VALUES('host')");
  if (!refused(host.path)) throw new Error('the host has no lock before any backup');
  // Cancelled in mid-copy, then one that succeeds: both close what they had opened.
  const job = await held(host, 'cancelled.db.zst');
  if (!refused(host.path)) return 'an outsider wrote in mid-backup';
  await job.close();
  await backup(host.path, host.beside('copy.db'));
  if (!refused(host.path)) return 'an outsider wrote after the backup';
  try {
    host.exec('COMMIT');
  } catch (error) {
    return String(error);
  }
  host.db.close();
  for (const [name, count] of [['game.db', ROWS + 1], ['copy.db', ROWS]]) {
    const said = content(host.beside(name));
    if (said !== `${count}\nok`) return `${name}: ${said}`;
  }
  return '';
}

async function tell(where, journal) {
  const struck = await transaction(where, journal);
  writeSync(1, struck);
  process.exit(struck ? STRUCK : 0); // with the job running that was struck
}

const lives = {
  'transaction-WAL': (where) => tell(where, 'WAL'),
  'transaction-DELETE': (where) => tell(where, 'DELETE'),
  async 'commits-and-is-killed'(where) {
    const host = new Host(where);
    await backup(host.path, host.beside('copy.db'));
    // A visitor who took himself for the last user would unlink the -wal.
    outside(host.path, 'SELECT count(*) FROM t');
    for (let i = 0; i < LATE; i++) host.exec("INSERT INTO t(payload) VALUES('late')");
    process.kill(process.pid, 'SIGKILL');
  },
  async 'exits-with-a-job'(where) {
    await held(new Host(where), 'copy.db');
    process.exit(7);
  },
  async 'exits-at-once-with-jobs'(where) {
    const host = new Host(where);
    for (let i = 0; i < 8; i++) startBackup(host.path, host.beside(`copy${i}.db`), { maxBytesPerSecond: 1, chunkSize: 65536 });
    process.exit(7);
  },
  async 'waits-for-nothing'(where) {
    const host = new Host(where);
    const job = await held(host, 'copy.db');
    job.setRate(0);
    // Found out by the job itself, after its start has succeeded.
    const locked = new Host(where, 'DELETE', 'locked.db');
    locked.exec('BEGIN EXCLUSIVE');
    startBackup(locked.path, locked.beside('never.db'), { busyTimeoutMs: 1 });
  },
  async 'throws-with-a-job'(where) {
    await held(new Host(where), 'copy.db');
    throw new Error('on purpose');
  },
};

export const left = (where) => readdirSync(where).filter((name) => !name.startsWith('game.db'));

if (process.argv[1] === fileURLToPath(import.meta.url)) await lives[process.argv[2]](process.argv[3]);
