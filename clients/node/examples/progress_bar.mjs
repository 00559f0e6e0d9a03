// node progress_bar.mjs SOURCE DEST: a backup with a progress bar; Ctrl-C cancels it and leaves nothing.
import { backup } from 'lb_backup';

const [source = '', dest = ''] = process.argv.slice(2);
const interrupted = new AbortController();
process.once('SIGINT', () => interrupted.abort());
const width = 40;

try {
  const result = await backup(source, dest, {
    signal: interrupted.signal,
    onProgress({ percent, phase, etaMs }) {
      const bar = '#'.repeat(Math.round((percent / 100) * width)).padEnd(width, '.');
      const eta = etaMs === null ? '' : `${Math.ceil(etaMs / 1000)} s left`;
      process.stdout.write(`\r[${bar}] ${percent.toFixed(1).padStart(5)} %  ${phase.padEnd(11)} ${eta.padEnd(12)}`);
    },
  });
  console.log(`\n${result.archiveBytes} bytes of ${result.imageBytes}, SHA-256 ${result.sha256}`);
} catch (error) {
  console.error(`\n${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
