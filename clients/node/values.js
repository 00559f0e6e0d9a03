// What the library says, as JavaScript has it. A number that only a newer library knows is told as such, never refused.
const UNKNOWN = 0xffffffffffffffffn;

const one = (...names) => (number) => (number in names ? names[number] : `unknown ${number}`);
const state = one('queued', 'running', 'succeeded', 'failed', 'cancelled');
const phase = one('waiting', 'copying', 'compressing', 'syncing', 'verifying', 'restoring', 'done');
const format = one(null, 'image', 'zstd');
const check = one(null, 'structure', 'frame', 'content', 'integrity', 'foreign keys');
const kind = one(null, 'image', 'archive', 'zstd', 'gzip');

const milliseconds = (ns) => Number(ns) / 1e6;
const date = (ns) => new Date(milliseconds(ns));
const known = (number, convert) => (BigInt(number) === UNKNOWN ? null : convert(number));
const hex = (bytes) => Buffer.from(bytes).toString('hex');

export function toProgress(p) {
  return {
    state: state(p.state), phase: phase(p.phase), percent: p.percent, retries: p.retries,
    bytesDone: Number(p.bytes_done), bytesTotal: Number(p.bytes_total), bytesWritten: Number(p.bytes_written),
    bytesReused: Number(p.bytes_reused), elapsedMs: milliseconds(p.elapsed_ns), etaMs: known(p.eta_ns, milliseconds),
  };
}

export function toResult(r) {
  return {
    format: format(r.format), pageSize: r.page_size, pages: Number(r.pages), imageBytes: Number(r.image_bytes),
    archiveBytes: Number(r.archive_bytes), bytesReused: Number(r.bytes_reused), retries: r.retries,
    sha256: r.has_sha256 ? hex(r.sha256) : null, startedAt: date(r.start_unix_ns), endedAt: date(r.end_unix_ns),
    waitingMs: milliseconds(r.waiting_ns), readingMs: milliseconds(r.reading_ns), compressingMs: milliseconds(r.compressing_ns),
    writingMs: milliseconds(r.writing_ns), syncingMs: milliseconds(r.syncing_ns), verifyingMs: milliseconds(r.verifying_ns),
    sourceLockMs: milliseconds(r.source_lock_ns), walGrowthBytes: Number(r.wal_growth_bytes),
    failedCheck: check(r.failed_check), failedChunk: r.failed_check ? known(r.failed_chunk, Number) : null,
    failedPage: Number(r.failed_page) || null,
  };
}

export function toArchiveInfo(i) {
  const own = kind(i.kind) === 'archive';
  return {
    kind: kind(i.kind), formatVersion: i.format_version, pageSize: i.page_size, pages: Number(i.pages),
    imageBytes: Number(i.image_bytes), archiveBytes: Number(i.archive_bytes), chunkSize: Number(i.chunk_size),
    chunks: Number(i.chunks), createdAt: date(i.created_unix_ns), applicationId: i.application_id, userVersion: i.user_version,
    level: i.compression_level, archiveId: own ? hex(i.archive_id) : null, parentId: i.has_parent ? hex(i.parent_id) : null,
    libraryVersion: i.library_version, sqliteVersion: i.sqlite_version, zstdVersion: i.zstd_version,
  };
}

export function toJobInfo(j) {
  return {
    state: state(j.state), bytesDone: Number(j.bytes_done), bytesTotal: Number(j.bytes_total), percent: j.percent,
    destName: j.dest_name,
  };
}
