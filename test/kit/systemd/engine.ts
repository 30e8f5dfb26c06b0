/**
 * The Docker engine of a machine: docker.service and containerd.service of its distribution, within the container that the
 * machine is. Its containers are the machine's own and end with it; its images stay.
 */
import { BUSYBOX_IMAGE } from '../../../fixtures/image/busybox.mjs';
import { eventually } from '../eventually.ts';
import { ENGINE_CONFIG, WITHOUT_NETWORK } from './engine-boot.ts';
import type { Machine } from './machine.ts';

export const ENGINE = 'docker.service';
const WAIT_MS = 60_000;

/** Which run, and which life of it. */
const FORMAT = [
  '{{index .Config.Labels "limpet.execution-id"}}',
  '{{index .Config.Labels "limpet.run"}}',
  '{{.Id}}',
  '{{.State.Pid}}',
  '{{.State.StartedAt}}',
].join(' ');

export class MachineEngine {
  readonly #machine: Machine;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  /** The image of the tests, made from the machine's own busybox. */
  async importImage(): Promise<void> {
    await this.#machine.sh(`
      root=$(mktemp -d)
      mkdir $root/bin $root/etc $root/tmp
      chmod 0755 $root
      chmod 1777 $root/tmp
      for one in $(busybox --list); do ln -sf busybox $root/bin/$one; done
      rm -f $root/bin/busybox
      cp /bin/busybox $root/bin/
      echo root:x:0:0:root:/:/bin/sh > $root/etc/passwd
      echo nobody:x:65534:65534::/:/bin/sh >> $root/etc/passwd
      tar -C $root -c . | docker import -c 'ENV PATH=/bin' -c 'CMD ["sh"]' - ${BUSYBOX_IMAGE}`);
  }

  /** Each container that runs, as `EXECUTION RUN ID PID STARTED`. */
  async running(): Promise<string[]> {
    const inspect = `docker ps -q | xargs -r docker inspect --format '${FORMAT}'`;
    const found = await this.#machine.sh(inspect);
    return found.split('\n').filter((line) => line !== '');
  }

  /** A restart of the engine ends its containers, or no longer does. */
  async liveRestore(on: boolean): Promise<void> {
    const config = JSON.stringify({ ...WITHOUT_NETWORK, 'live-restore': on });
    await this.#machine.write(ENGINE_CONFIG, config);
    await this.#machine.systemctl('reload', ENGINE);
    await eventually(
      'the engine to have read its config',
      async () => {
        const found = await this.#machine.run([
          'docker',
          'info',
          '--format',
          '{{.LiveRestoreEnabled}}',
        ]);
        return found.trim() === String(on);
      },
      WAIT_MS,
    );
  }
}
