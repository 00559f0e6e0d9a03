import { startBackup } from 'lb_backup';

try {
  const job = startBackup(process.argv[2] ?? '', process.argv[3] ?? '');
  for await (const progress of job.progress()) {
    process.stdout.write(`\r${progress.percent.toFixed(1).padStart(5)} %`);
  }
  console.log(`\r100.0 %  ${(await job.result).archiveBytes} bytes, verified`);
} catch (error) { // the operation, the path, the reason
  console.error(`\n${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
