#!/bin/bash
# A machine of its own for the drill: real systemd as process 1 of new namespaces, in which this
# machine's files are read-only and everything that is written lies in memory. Called by unshare.
#   ROOT the repository, PYTHON what runs it, SITE its packages, OUT a folder for what came of it
set -eu
here=$ROOT/tests/systemd
memory=$OUT/memory
mkdir -p "$memory" "$OUT/state"
touch "$OUT/console"
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$memory"
mkdir -p "$memory/opt/casevault/bin"
cp -a /etc "$memory/etc"
echo "casevault:x:977:977::/var/lib/casevault:/usr/sbin/nologin" >> "$memory/etc/passwd"
echo "casevault:x:977:" >> "$memory/etc/group"
units=$memory/etc/systemd/system
rm -rf "$units"
mkdir -p "$units" "$memory/etc/casevault" "$memory/etc/credstore.encrypted"
cp -r "$ROOT"/deploy/systemd/casevault* "$units"
cp "$here/drill.sh" "$here/founded.py" "$memory/opt"
cat > "$memory/opt/casevault/bin/casevault" <<X
#!/bin/sh
export PYTHONPATH=$ROOT:$SITE PYTHONDONTWRITEBYTECODE=1
exec $PYTHON -W ignore -m casevault "\$@"
X
chmod 755 "$memory/opt/casevault/bin/casevault"
cat > "$units/drill.service" <<X
[Service]
Type=oneshot
Environment=ROOT=$ROOT PYTHONPATH=$ROOT:$SITE PYTHON=$PYTHON PYTHONDONTWRITEBYTECODE=1
ExecStart=/bin/bash /opt/drill.sh
TimeoutStartSec=600
StandardOutput=append:/run/out/drill.log
StandardError=append:/run/out/drill.log
[Unit]
DefaultDependencies=no
SuccessAction=exit-force
FailureAction=exit-force
X
cat > "$units/drill.target" <<X
[Unit]
Requires=sysinit.target basic.target drill.service
After=sysinit.target basic.target
X
# What would touch devices, the kernel or the files of this machine.
for name in \
  systemd-{tmpfiles-setup,tmpfiles-setup-dev,udevd,udev-trigger,sysctl,modules-load,random-seed}.service \
  systemd-{update-utmp,sysusers,remount-fs,machine-id-commit,binfmt,hwdb-update,pcrphase}.service \
  systemd-{boot-system-token,journal-flush,journal-catalog-update}.service kmod-static-nodes.service \
  apparmor.service {timers,local-fs,swap,cryptsetup,paths,getty}.target \
  systemd-udevd-{control,kernel}.socket dev-{hugepages,mqueue}.mount sys-kernel-{debug,tracing,config}.mount \
  sys-fs-fuse-connections.mount proc-sys-fs-binfmt_misc.automount; do
  ln -sf /dev/null "$units/$name"
done
mount --rbind "$OUT" "$OUT"
mount -o remount,bind,ro /
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/out
mount --bind "$OUT" /run/out
mount --bind "$memory/etc" /etc
mount --bind "$memory/opt" /opt
for place in lib log tmp; do mount -t tmpfs -o mode=755 tmpfs /var/$place; done
mkdir /var/lib/systemd
# On a disk: systemd makes no key for credentials in memory.
mount --bind /run/out/state /var/lib/systemd
mount --bind /run/out/console /dev/console
umount -l /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs -o mode=1777 tmpfs /tmp
# As systemd has it where it is the machine's own: what it mounts for credentials must be seen.
mount --make-rshared /
export container=drill
exec /lib/systemd/systemd --system --unit=drill.target --log-target=null --show-status=no </dev/null
