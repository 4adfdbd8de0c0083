# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# ./quickstart --story: Microsoft's article Q246337 acted out, with Windows programs
# from tests/data/story. Under Wine they really run; without it a process that maps
# the library stands for Performance Monitor, and nobody starts the service.
# Sourced by quickstart, whose functions and variables it uses.
# shellcheck disable=SC2154

wine=
wineserver=
wineserver_pid=
# Where the small Exchange lies, and what spguard calls that place.
server=$home/server
place=$server

need_story_packages() {
	local missing
	need_packages python3 gcc-mingw-w64-x86-64 binutils-mingw-w64-x86-64 ||
		die "the story needs a compiler for Windows programs"
	missing=$(need_packages wine64 2>&1) || echo "Without Wine: ${missing##*$'\n'}"
}

find_program() {
	local path
	for path in /usr/lib/wine/"$1" /usr/lib/x86_64-linux-gnu/wine/"$1" "$(command -v "$1")"; do
		[ ! -x "$path" ] || { echo "$path"; return; }
	done
}

# No dialogs, no debugger: a program that fails just ends.
in_wine=(env -u DISPLAY "WINEPREFIX=$home/wine" WINEDEBUG=-all
	"WINEDLLOVERRIDES=mscoree,mshtml,winedbg.exe=")

# Its server must run before its first program: Debian's wrapper would let it end
# together with that.
start_wine() {
	wine=$(find_program wine64)
	wineserver=$(find_program wineserver64)
	if [ -z "$wine" ] || [ -z "$wineserver" ]; then
		wine=
		return
	fi
	echo "Preparing Wine in $home/wine"
	mkdir "$home/wine"
	"${in_wine[@]}" "$wineserver" -f -p </dev/null >"$home/wine.log" 2>&1 &
	wineserver_pid=$!
	"${in_wine[@]}" "$wine" wineboot -i </dev/null >"$home/wine.log" 2>&1 ||
		{ cat "$home/wine.log" >&2; die "Wine does not start"; }
}

stop_wine() {
	[ -n "$wineserver_pid" ] || return 0
	"${in_wine[@]}" "$wineserver" -k || true
	wait "$wineserver_pid" 2>/dev/null || true
	wineserver_pid=
	rm -rf "$home/wine" "$home/wine.log"
}

lay_out_story() {
	echo "Building a small Exchange and its service pack in $home"
	python3 "$top/tests/support/story.py" build "$home/built" "$@" >"$home/build.log" 2>&1 ||
		{ cat "$home/build.log" >&2; die "its programs could not be built"; }
	python3 "$top/tests/support/story.py" lay "$home/built" "$server"
	rm -r "$home/built" "$home/build.log"
	[ -n "$wine" ] || start_wine
	write_config <<-END
		[product exchange55]
		title = Microsoft Exchange Server 5.5
		directory = $place/Exchsrvr/Bin
		directory = $place/Winnt/System32
		ignore-case = yes
		files = *.dll dsamain.exe
		setup-stops = dsamain.exe

		[advice *perf.dll]
		product = exchange55
		say = Close Performance Monitor, here and on every machine that watches this server.
	END
}

# Until let_go: somebody looks at the counters of the Information Store.
start_perfmon() {
	local dll=$place/Exchsrvr/Bin/mdbperf.dll
	if [ -z "$wine" ]; then
		hold perfmon mapped "$dll"
		return
	fi
	mkfifo -m 600 "$home/ready"
	"${in_wine[@]}" "$wine" "$server/perfmon.exe" "${dll/#\//Z:/}" <"$home/story" >"$home/ready" \
		2>>"$home/wine.log" {story}>&- &
	holders+=("$!")
	grep -q ready "$home/ready" || die "perfmon.exe could not load $dll"
	rm "$home/ready"
}

run_setup() {
	local setup=("$server/setup")
	[ "$windows" = no ] || setup=("${in_wine[@]}" "$wine" "$server/setup.exe")
	printf '\n    # setup sp\n'
	"${setup[@]}" "$place/sp" "$place/Exchsrvr/Bin" "$place/Winnt/System32" |
		tr -d '\r' | sed 's/^/    /'
}

# Until the daemon has seen that setup is through, and looked at what came of it.
await_install() {
	if ! "$client" --socket "$socket" flush >/dev/null ||
		! "$client" --socket "$socket" installs --wait=60s >/dev/null; then
		die "the daemon does not say what came of the install"
	fi
}

newest_install() {
	"$client" --socket "$socket" --json installs |
		python3 -c 'import json, sys; print(json.load(sys.stdin)["installs"][0]["id"])'
}

# start_service yes|no: does the Directory service start? Only Wine can tell.
start_service() {
	local said result=yes
	[ -n "$wine" ] || return 0
	said=$("${in_wine[@]}" "$wine" "$server/Exchsrvr/Bin/dsamain.exe" </dev/null 2>&1) ||
		result=no
	# Shown as a console would: without Wine's own line ends, and the first line only.
	printf '\n    # wine dsamain.exe\n    %s\n' "$(tr -d '\r' <<<"$said" | head -n 1)"
	[ "$result" = "$1" ] || die "expected of dsamain.exe: $1, got: $result"
}

under_wine() {
	if [ -n "$wine" ] && [ "$windows" = no ]; then
		echo "(Under Wine, wineserver keeps open what its programs have loaded.)"
	fi
}

tell_before() {
	say "1. Twelve files of Exchange are installed, in version 5.5.2448.0. A service pack" \
		"brings 5.5.2650.24 of each. May it be applied?"
	start_service yes
	expect safe --payload "$place/sp"
	start_perfmon
	say "2. Somebody starts Performance Monitor. It loads mdbperf.dll to read counters." \
		"No window shows that; spguard does, and says what to do." \
		"$(under_wine)"
	expect blocked --payload "$place/sp"
}

tell_mixed() {
	say "3. Setup is run all the same. Of the file in use it says that it cannot be updated;" \
		"'Ignore' is clicked, and it goes on with the others."
	run_setup
	await_install
	say "4. Now programs are new and a library is old. Nobody has asked spguard, and it knows:" \
		"it saw the install, and looked at what came of it."
	expect_exit 0 installs
	expect_exit 0 installs "$(newest_install)"
	expect_exit 2 verify
	if [ -n "$wine" ]; then
		say "5. It is right: the Directory service does not start. (Windows says \"Entry" \
			"Point Not Valid\", Wine says it so.)"
		start_service no
	fi
}

tell_mended() {
	say "6. The article's way out: rename the library to .old, so that setup can write a" \
		"new one. spguard keeps a journal of it, and could undo it."
	expect_exit 0 sidestep --dry-run "$place/Exchsrvr/Bin/mdbperf.dll"
	expect_exit 0 sidestep --yes "$place/Exchsrvr/Bin/mdbperf.dll"
	say "7. Setup once more. Nothing is in its way."
	run_setup
	await_install
	expect_exit 0 installs
	expect_exit 0 verify --payload "$place/sp"
	start_service yes
	say "8. Performance Monitor is closed; it had the old library until now."
	let_go
	# Wine's server lets go a moment after its program has ended.
	expect safe --wait=30s
	say "9. So the old file can go."
	expect_exit 0 sidestep --clean
}

tell_story() {
	mkdir "$home/programs"
	mkfifo -m 600 "$home/story"
	# Our end of it; when this script ends, so does Performance Monitor.
	exec {story}<>"$home/story"
	tell_before
	tell_mixed
	tell_mended
	exec {story}>&-
	stop_wine
	rm -rf "$home/programs" "$home/story"
}
