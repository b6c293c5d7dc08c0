#!/usr/bin/env bash
# The Debian package, unpacked at another place: what it holds and needs, and that the program in it finds all it needs
# there, outside of any checkout. It is built of bin/roadcomb (make build), so that nothing is compiled for it.
set -euo pipefail
cd "$(dirname "$0")/../../../.."
fail() { echo "package: $*" >&2; exit 1; }
tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
ROADCOMB_RELEASE_ONLY=roadcomb ROADCOMB_RELEASE_PROGRAM=bin/roadcomb VERSION=9e12345 .ci/release "$tmp/out" >/dev/null
deb=$(ls "$tmp"/out/*.deb)
(cd "$tmp/out" && sha256sum --quiet -c SHA256SUMS) || fail "the checksums are not those of the files"
[ "$(dpkg-deb -f "$deb" Version)" = "0~9e12345" ] || fail "a bare hash is taken for a version: $(dpkg-deb -f "$deb" Version)"
dpkg-deb -f "$deb" Depends | grep -q 'libopencv-core[0-9]' || fail "it needs no OpenCV: $(dpkg-deb -f "$deb" Depends)"
# Everything that it is linked with is in a package that it needs.
for p in $(dpkg-deb -f "$deb" Depends | tr -d ' ' | tr ',' '\n'); do
  dpkg-query -W "$p" >/dev/null 2>&1 || [ "$p" = adduser ] || fail "$p is no package that is installed here, where the program runs"
done
dpkg -e "$deb" "$tmp/control"
for f in postinst prerm postrm; do
  [ -x "$tmp/control/$f" ] && sh -n "$tmp/control/$f" || fail "its $f is no script that runs"
done
dpkg -x "$deb" "$tmp/root"
for f in opt/roadcomb/roadcomb opt/roadcomb/roadcomb-iceberg opt/roadcomb/libonnxruntime.so.1 lib/systemd/system/roadcomb-work@.service lib/systemd/system/roadcomb-tick.timer \
  usr/share/doc/roadcomb/copyright etc/roadcomb/roadcomb.env; do
  [ -s "$tmp/root/$f" ] || fail "it lacks $f"
done
[ "$(stat -c %a "$tmp/root/etc/roadcomb/roadcomb.env")" = 600 ] || fail "strangers can read roadcomb.env"
[ -z "$(find "$tmp/root" -perm /022 ! -type l)" ] || fail "others may write: $(find "$tmp/root" -perm /022 ! -type l)"
mkdir "$tmp/archive"; tar -C "$tmp/archive" --strip-components=1 -xzf "$tmp"/out/*.tar.gz
for p in roadcomb:process roadcomb-iceberg:every; do
  word=${p#*:} p=${p%:*} share=$tmp/root/usr/share
  [ "$(readlink "$tmp/root/usr/bin/$p")" = "/opt/roadcomb/$p" ] || fail "usr/bin/$p leads elsewhere"
  [ "$(gzip -dc "$share/man/man1/$p.1.gz" | grep -c "$word")" -gt 0 ] || fail "the manual page of $p says nothing of $word"
  gzip -dc "$share/man/man1/$p.1.gz" | cmp - "$tmp/archive/$p.1" || fail "the archive has another manual page of $p"
  head -n 1 "$share/zsh/vendor-completions/_$p" | grep -qx "#compdef $p" || fail "zsh would not find the completion of $p"
  grep -q "^complete -c $p .*$word" "$share/fish/vendor_completions.d/$p.fish" || fail "fish completes nothing of $p"
  completed=$(bash -c '. "$1"; COMP_WORDS=("$2" "$3"); COMP_CWORD=1; "_$2"; printf "%s\n" "${COMPREPLY[@]}"' bash "$share/bash-completion/completions/$p" "$p" ver) || fail "the completion of $p is no script"
  [ "$completed" = version ] || fail "bash completes '$p ver' to '$completed'"
  for f in "$p.bash" "_$p" "$p.fish"; do [ -s "$tmp/archive/completions/$f" ] || fail "the archive lacks completions/$f"; done
done
mkdir "$tmp/elsewhere"; cd "$tmp/elsewhere"
env -i HOME="$tmp" PATH=/usr/bin:/bin "$tmp/root/opt/roadcomb/roadcomb" doctor --json --home "$tmp/data" --listen 127.0.0.1:0 --s3-listen 127.0.0.1:0 --flight= >"$tmp/doctor.json" ||
  fail "doctor: $(cat "$tmp/doctor.json")"
grep -q "$tmp/root/opt/roadcomb/libonnxruntime.so.1" "$tmp/doctor.json" || fail "the inference library is not the package's: $(cat "$tmp/doctor.json")"
echo "package: ok"
