#!/bin/busybox sh
# The guest's first program: this machine's files with a layer of memory above, cgroup v2 alone, then the command it was given.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "$module"; done < /modules/order
mkdir -p /lower /layer /whole
mount -t virtiofs -o ro host /lower || echo "guest: no files of the host"
mount -t tmpfs -o size=2g,mode=0755 layer /layer
mkdir -m 755 /layer/upper /layer/work
mount -t overlay -o lowerdir=/lower,upperdir=/layer/upper,workdir=/layer/work overlay /whole || echo "guest: no layer"
# a checkout in a place whose files are left outside comes along all the same
checkout=$(cat /checkout)
mkdir /kept
mount --bind "/whole$checkout" /kept
# whose files were in use outside
for folder in run var/lib; do mount -t tmpfs -o mode=0755 tmpfs /whole/$folder; done
for folder in tmp var/tmp; do mount -t tmpfs tmpfs /whole/$folder; done
mkdir -p "/whole$checkout"
mount --move /kept "/whole$checkout"
mount -t proc proc /whole/proc
mount -t sysfs sysfs /whole/sys
mount -t devtmpfs dev /whole/dev
mkdir -p /whole/dev/pts /whole/dev/shm /whole/dev/mqueue
mount -t devpts -o ptmxmode=666 devpts /whole/dev/pts
mount -t tmpfs -o mode=1777 shm /whole/dev/shm
mount -t mqueue mqueue /whole/dev/mqueue
ln -sf /proc/self/fd /whole/dev/fd
mount -t cgroup2 cgroup2 /whole/sys/fs/cgroup
for controller in cpu cpuset io memory pids; do echo "+$controller" > /whole/sys/fs/cgroup/cgroup.subtree_control; done
ip link set lo up
echo "guest: $(uname -r) is up"
# the command's second console is its report: nothing may be added to what it writes
stty -F /whole/dev/ttyS1 raw
cp /command /whole/run/command
export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
exec switch_root /whole /bin/sh -c '. /run/command; sync; echo o > /proc/sysrq-trigger; sleep 60'
