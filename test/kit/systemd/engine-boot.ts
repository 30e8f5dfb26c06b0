/** What a machine with a Docker engine of its own is booted with. */

/** A volume, because overlayfs does not stand on overlayfs. */
export const ENGINE_DATA = '/var/lib/docker';
export const ENGINE_CONFIG = '/etc/docker/daemon.json';

/** Of the network it needs nothing: jobs of the tests have none. */
export const WITHOUT_NETWORK = {
  bridge: 'none',
  iptables: false,
  'ip-forward': false,
  'ip-masq': false,
};

/**
 * Before systemd starts: the trees of cgroup v1 come read-only, where there are such; and what raises limits above those of the
 * container, which not even its root may, is left out of the units.
 */
export const ENGINE_BOOT = `
for tree in /sys/fs/cgroup/*/; do mount -o remount,bind,rw "$tree" 2> /dev/null || :; done
for unit in docker containerd; do
  mkdir -p /run/systemd/system/$unit.service.d
  printf '[Service]\\nLimitNOFILE=\\nLimitNPROC=\\nLimitCORE=\\nOOMScoreAdjust=\\n' > /run/systemd/system/$unit.service.d/limits.conf
done
mkdir -p /etc/docker
[ -e ${ENGINE_CONFIG} ] || echo '${JSON.stringify({ ...WITHOUT_NETWORK, 'live-restore': true })}' > ${ENGINE_CONFIG}`;
