// Never run: tsc reads it. What the declarations are to accept, and to refuse.
import * as lb from 'lb_backup';

export async function accepted(): Promise<string | null> {
  await using job = lb.startBackup('a.db', new URL('file:///b.db.zst'), { level: 3, existing: 'replace', chunkSize: 65536n });
  job.on('progress', (progress) => progress.percent.toFixed());
  for await (const { state } of job.progress()) if (state === 'running') job.setRate(0);
  try {
    await lb.restore('b', 'c', {
      keepPrevious: 'd', signal: AbortSignal.timeout(1), onProgress: ({ etaMs }) => etaMs?.toFixed(),
    });
  } catch (error) {
    if (error instanceof lb.BusyError) return error.code;
  }
  return (await job.result).sha256;
}

export function refused(): void {
  // @ts-expect-error: no such option of a verification
  void lb.verify('a', { existing: 'replace' });
  // @ts-expect-error: no such value
  void lb.backup('a', 'b', { format: 'gzip' });
  // @ts-expect-error: jobs are started, not made
  new lb.Job();
}
