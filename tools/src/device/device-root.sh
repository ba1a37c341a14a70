#!/bin/sh
# In namespaces of its own (mount, pid, network): a copy-on-write view of this machine in FOLDER, with the checkout, and
# Bowline installed in it as on a device. Then it waits; whoever kills it ends all that was started in it.
#
#   device-root.sh FOLDER CHECKOUT
set -eu
folder=$1 checkout=$2
mount --make-rprivate /
mount -t tmpfs -o mode=0755 device "$folder"
mkdir "$folder/upper" "$folder/work" "$folder/root"
mount -t overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" device "$folder/root"
root=$folder/root
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=0755 run "$root/run"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"
rm -rf "$root/etc/bowline" "$root/var/lib/bowline" "$root/opt/bowline"
mkdir -p "$root/opt/bowline" "$root/checkout"
mount --bind "$checkout" "$root/checkout"
ip link set lo up

for app in ws-gateway command-executor telemetry-collector ota-updater ssh-broker cli; do
  mkdir -p "$root/opt/bowline/apps/$app"
  cp -r "$checkout/apps/$app/dist" "$root/opt/bowline/apps/$app/dist"
done
mkdir "$root/opt/bowline/deploy"
ln -s /checkout/node_modules "$root/opt/bowline/node_modules"
for part in ecosystem.config.cjs privileges.config.cjs data-formats.json nftables launcher dist; do
  cp -r "$checkout/deploy/$part" "$root/opt/bowline/deploy/"
done
# The very file, by a mount: a link would lead through folders that the users of the apps may not enter.
touch "$root/opt/bowline/runtime"
mount --bind "$(readlink -f "$checkout/node_modules/.bin/node")" "$root/opt/bowline/runtime"
chown -R root:root "$root/opt/bowline/apps" "$root/opt/bowline/deploy"

exec chroot "$root" sh -c '/checkout/deploy/install && echo installed && exec sleep infinity'
