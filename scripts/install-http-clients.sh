#!/bin/sh
# Installs the HTTP programs of the interoperability run (curl, ab, wrk, chromium) with the distribution's package manager, where one is missing.
set -eu

missing=''
for program in curl:curl ab:apache2-utils wrk:wrk chromium:chromium; do
  command -v "${program%%:*}" >/dev/null 2>&1 || missing="$missing ${program##*:}"
done
[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null 2>&1; then
  echo "install-http-clients: no apt-get; install by hand:$missing" >&2
  exit 1
fi
as_root=''
if [ "$(id -u)" -ne 0 ]; then
  # Never asks for a password: nobody may be there to type it.
  as_root='sudo -n'
  $as_root true 2>/dev/null || { echo "install-http-clients: neither root nor passwordless sudo for$missing" >&2; exit 1; }
fi
$as_root apt-get update -qq
# Word splitting is meant: one argument for each package.
$as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $missing
