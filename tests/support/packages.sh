# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# Debian packages that building and testing need. Sourced; see need_packages.

build_packages=(gcc libc6-dev meson ninja-build pkg-config libuv1-dev libsqlite3-dev
	libjansson-dev libcap-ng-dev nettle-dev libexpat1-dev libelf-dev
	libarchive-dev)
# For HTTP; without it the daemon is built without that.
http_packages=(libmicrohttpd-dev)
# For the tier "bpf"; without them the daemon is built without it.
bpf_packages=(clang bpftool libbpf-dev)
# For the man pages; without it the build leaves them out.
manual_packages=(scdoc)
test_packages=(check python3 python3-jsonschema util-linux mount e2fsprogs xfsprogs btrfs-progs
	squashfs-tools erofs-utils acl runit daemontools zstd gcab genisoimage p7zip-full rpm rsync
	unzip patch git)
# For the tests that tell the whole story with Windows programs, and those of sets that
# compilers make: without them those skip.
story_packages=(gcc-mingw-w64-x86-64 binutils-mingw-w64-x86-64 wine64
	g++-mingw-w64-x86-64 g++-mingw-w64-i686 lld llvm)
# For building for Windows, and running that under Wine.
windows_packages=(gcc-mingw-w64-x86-64-posix binutils-mingw-w64-x86-64 cmake make m4 tcl
	wine64 wixl msitools)
# For the tests with assemblies of .NET: without them those skip.
dotnet_packages=(mono-mcs mono-devel mono-utils)
# The real systemd, monitoring systems, a browser, and what builds and checks Debian's
# packages: judges of what is shipped. A test whose counterpart is missing skips.
counterpart_packages=(systemd dpkg-dev debhelper fakeroot lintian mmdebstrap
	prometheus prometheus-alertmanager icinga2-bin zabbix-agent man-db groff zsh fish
	chromium nginx-light)
# What the shipped profiles are of. Nothing of it is started but by their tests, which skip
# what is missing.
profile_packages=(apache2 mariadb-server postgresql samba openjdk-17-jdk-headless python3-venv)
# For tests on other kernels.
kernel_packages=(mmdebstrap qemu-system-x86 e2fsprogs git)
ci_packages=(clang llvm libclang-rt-14-dev clang-format-14 shellcheck)

# without_services COMMAND...: run it; services that it installs are not started
# (invoke-rc.d(8) asks policy-rc.d). Whatever was in its place comes back.
without_services() (
	policy=/usr/sbin/policy-rc.d
	kept=
	if [ -e "$policy" ]; then
		kept=$(mktemp -u "$policy.XXXXXX")
		mv "$policy" "$kept"
	fi
	trap 'if [ -n "$kept" ]; then mv -f "$kept" "$policy"; else rm -f "$policy"; fi' EXIT
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
	"$@"
)

# need_packages NAME...: install those that are missing; what to do when that is
# not possible is said, and the return value is not 0.
need_packages() {
	local missing=() name
	if ! command -v dpkg-query >/dev/null; then
		echo "This is no Debian: install what corresponds to: $*" >&2
		return 0
	fi
	for name in "$@"; do
		case $(dpkg-query -W -f '${Status}' "$name" 2>/dev/null) in
		*" installed") ;;
		*) missing+=("$name") ;;
		esac
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	if [ "$(id -u)" -ne 0 ]; then
		echo "Missing packages; as root: apt-get install ${missing[*]}" >&2
		return 1
	fi
	echo "Installing ${missing[*]}" >&2
	export DEBIAN_FRONTEND=noninteractive
	if ! { apt-get -qq update && without_services apt-get -qq -y \
		--no-install-recommends -o Dpkg::Use-Pty=0 install "${missing[@]}"; } >&2 </dev/null; then
		echo "Could not install ${missing[*]}" >&2
		return 1
	fi
}
