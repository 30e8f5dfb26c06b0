/** What one task asks for, in whole units; the texts were checked at submission. */
import type { Task } from '../../core/job.ts';
import { parseBytes, parseCpu, type Resources } from '../../core/resources.ts';

export function taskResources(task: Task): Resources {
  const { CPU, Memory, Disk, GPU } = task.Resources;
  return {
    cpuMillis: CPU === undefined ? 0 : parseCpu(CPU),
    memoryBytes: Memory === undefined ? 0 : parseBytes(Memory),
    diskBytes: Disk === undefined ? 0 : parseBytes(Disk, 'disk'),
    gpus: GPU === undefined ? 0 : Number(GPU),
  };
}
