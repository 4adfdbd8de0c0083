# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# ./quickstart --story --windows: the same story on a Windows of its own: spguard, too, is
# built for Windows and runs under Wine, with everything on its drive C:.
# Sourced by quickstart, whose functions and variables it uses.
# shellcheck disable=SC2034,SC2154

# run_under_wine NAME PROGRAM: a program of this machine, $home/NAME, that is PROGRAM.
run_under_wine() {
	{
		printf '#!/bin/sh\nexec'
		printf ' %q' "${in_wine[@]}" "$wine" "$2"
		printf ' "$@"\n'
	} >"$home/$1"
	chmod 700 "$home/$1"
}

prepare_windows() {
	need_packages "${windows_packages[@]}" || die "spguard for Windows cannot be built"
	echo "Building for Windows in $top/build-windows"
	"$top/conf/cross/build" "$top/build-windows" >"$build.log" 2>&1 ||
		{ cat "$build.log" >&2; die "the build failed"; }
	rm -f "$build.log"
	start_wine
	[ -n "$wine" ] || die "there is no Wine"
	mkdir "$home/wine/drive_c/spguard"
	run_under_wine spguard "$top/build-windows/client/spguard.exe"
	run_under_wine spguardd "$top/build-windows/daemon/spguardd.exe"
	client=$home/spguard daemon=$home/spguardd
	socket=//./pipe/spguard-quickstart
	database=C:/spguard/history.db
	group=
	server=$home/wine/drive_c/server place=C:/server
}

end_windows() {
	cat <<-END

		All of it was programs of Windows: spguard, setup, Performance Monitor and the
		Directory service. Nothing of it goes on running. docs/windows.md says how to
		install spguard on a Windows server.
	END
	stop_wine
	rm -rf "$home"
}
