#!/bin/sh
# Installs redis-server (and redis-benchmark, redis-cli) with the distribution's package manager, for the tests and the example.
set -eu

if command -v redis-server >/dev/null 2>&1; then
  exit 0
fi
as_root=''
if [ "$(id -u)" -ne 0 ]; then
  # Never asks for a password: nobody may be there to type it.
  as_root='sudo -n'
  $as_root true 2>/dev/null || { echo 'install-redis-server: neither root nor passwordless sudo' >&2; exit 1; }
fi
if command -v apt-get >/dev/null 2>&1; then
  $as_root apt-get update -qq
  # Debian starts a service right after installing, which nobody asked for here.
  $as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends redis-server redis-tools
elif command -v dnf >/dev/null 2>&1; then
  $as_root dnf install -y -q redis
elif command -v apk >/dev/null 2>&1; then
  $as_root apk add --quiet redis
elif command -v pacman >/dev/null 2>&1; then
  $as_root pacman -S --noconfirm --quiet redis
elif command -v brew >/dev/null 2>&1; then
  brew install --quiet redis
else
  echo 'install-redis-server: no apt-get, dnf, apk, pacman or brew' >&2
  exit 1
fi
command -v redis-server >/dev/null 2>&1
