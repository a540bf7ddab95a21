# Init of one appliance, pid 1 of its own pid namespace: a machine's private mounts, then runit.
# Called by twin/appliance.py: sh init.sh HOST DISK STAGING SHARED KEEP...
#   HOST     host name
#   DISK     folder of the host's disk (etc, etc.work, lib, log)
#   STAGING  address/length of stg0
#   SHARED   folder below /run and /var/lib that this host may see (management host), or "-"
#   KEEP     folders (checkout, interpreter) that stay visible although their parent is hidden
set -e
host=$1 disk=$2 staging=$3 shared=$4
shift 4
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
hostname "$host"
umask 022

# The machine's named namespaces stay the machine's: this host makes its own VRFs below its private /run.
umount -l /run/netns 2>/dev/null || true
mount -t sysfs sysfs /sys
mount -t tmpfs -o mode=755,size=64m tmpfs /media
mkdir /media/keep /media/run /media/lib
number=0
for path in "$@"; do
    number=$((number + 1))
    mkdir "/media/keep/$number"
    mount --rbind "$path" "/media/keep/$number"
done
if [ "$shared" != - ]; then
    mount --bind "/run/$shared" /media/run
    mount --bind "/var/lib/$shared" /media/lib
    # Watchers never read the twin's own notes, nor other hosts' disks.
    mount -t tmpfs -o ro,mode=700,size=4k tmpfs /media/run/twin
fi
mount -t overlay -o "lowerdir=/etc,upperdir=$disk/etc,workdir=$disk/etc.work" overlay /etc
mount --bind "$disk/log" /var/log
mount --bind "$disk/lib" /var/lib
mount -t tmpfs -o mode=755,size=256m tmpfs /run
mount -t tmpfs -o mode=1777,size=256m tmpfs /tmp
mount -t tmpfs -o mode=1777,size=64m tmpfs /var/tmp
mount -t tmpfs -o mode=1777,size=64m tmpfs /dev/shm
mount -t tmpfs -o mode=700,size=64m tmpfs /root
mkdir -p /run/netns /run/sshd /run/lock /run/nginx /run/runit
install -d -o frr -g frr -m 755 /run/frr
if [ "$shared" != - ]; then
    mkdir -p "/run/$shared" "/var/lib/$shared"
    mount --move /media/run "/run/$shared"
    mount --move /media/lib "/var/lib/$shared"
    mount -t tmpfs -o ro,mode=700,size=4k tmpfs "/var/lib/$shared/hosts"
fi
number=0
for path in "$@"; do
    number=$((number + 1))
    mkdir -p "$path"
    mount --move "/media/keep/$number" "$path"
done
umount -l /media

ip link set dev lo up
# The staging port is up until enrolment has taken its service away.
if [ "$shared" != - ] || { [ -d /etc/sanwang/sv/staging-sshd ] && [ ! -e /etc/sanwang/sv/staging-sshd/down ]; }; then
    ip address add "$staging" dev stg0
    ip link set dev stg0 up
fi
echo ready
# With a log (the last words of its services, shown as its title) the supervisor also looks for new services whenever
# something is written to its error output, not only every five seconds.
exec runsvdir -P /etc/sanwang/sv "log: ..........................................................." >/dev/null 2>&1
